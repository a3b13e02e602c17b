//! Network faults: between the servers and the database, and between the senders and a server.

use std::time::Duration;

use super::{Fault, Nemesis};
use crate::proxy::{NetworkMode, Proxy};

/// One way to disturb a network.
#[derive(Clone, Copy)]
enum Disturbance {
    Cut,
    Reset,
    NetworkMode(NetworkMode),
}

impl Nemesis {
    pub(super) async fn disturb(&mut self, fault: Fault) {
        let slow = NetworkMode::Delayed(Duration::from_millis(self.dice.u64(20..400)));
        let (at_database, how) = match fault {
            Fault::DatabaseCut => (true, Disturbance::Cut),
            Fault::DatabaseReset => (true, Disturbance::Reset),
            Fault::DatabaseBlackHole => (true, Disturbance::NetworkMode(NetworkMode::BlackHole)),
            Fault::DatabaseSlow => (true, Disturbance::NetworkMode(slow)),
            Fault::DatabaseAnswersLost => {
                (true, Disturbance::NetworkMode(NetworkMode::DropResponses))
            }
            Fault::ClientCut => (false, Disturbance::Cut),
            Fault::ClientReset => (false, Disturbance::Reset),
            Fault::ClientBlackHole => (false, Disturbance::NetworkMode(NetworkMode::BlackHole)),
            Fault::ClientAnswersLost => {
                (false, Disturbance::NetworkMode(NetworkMode::DropResponses))
            }
            _ => (false, Disturbance::NetworkMode(slow)),
        };
        let nth = self.any_server();
        let world = std::sync::Arc::clone(&self.world);
        let proxy: &Proxy =
            if at_database { &world.database_proxy } else { &world.servers[nth].proxy };
        match how {
            Disturbance::Cut => proxy.cut(),
            Disturbance::Reset => proxy.reset(),
            Disturbance::NetworkMode(mode) => {
                proxy.set(mode);
                self.hold().await;
                // A client that waits for a lost response would wait forever.
                if mode != slow {
                    proxy.reset();
                }
                proxy.set(NetworkMode::Normal);
            }
        }
    }
}
