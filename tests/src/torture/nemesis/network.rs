//! Network faults: between the servers and the database, and between the senders and a server.

use std::time::Duration;

use super::{Fault, Nemesis};
use crate::proxy::{Proxy, Weather};

/// One way to disturb a network.
#[derive(Clone, Copy)]
enum Disturbance {
    Cut,
    Reset,
    Weather(Weather),
}

impl Nemesis {
    pub(super) async fn disturb(&mut self, fault: Fault) {
        let slow = Weather::Slow(Duration::from_millis(self.dice.u64(20..400)));
        let (at_database, how) = match fault {
            Fault::DatabaseCut => (true, Disturbance::Cut),
            Fault::DatabaseReset => (true, Disturbance::Reset),
            Fault::DatabaseBlackHole => (true, Disturbance::Weather(Weather::BlackHole)),
            Fault::DatabaseSlow => (true, Disturbance::Weather(slow)),
            Fault::DatabaseAnswersLost => (true, Disturbance::Weather(Weather::AnswersLost)),
            Fault::ClientCut => (false, Disturbance::Cut),
            Fault::ClientReset => (false, Disturbance::Reset),
            Fault::ClientBlackHole => (false, Disturbance::Weather(Weather::BlackHole)),
            Fault::ClientAnswersLost => (false, Disturbance::Weather(Weather::AnswersLost)),
            _ => (false, Disturbance::Weather(slow)),
        };
        let nth = self.any_server();
        let world = std::sync::Arc::clone(&self.world);
        let proxy: &Proxy =
            if at_database { &world.database_proxy } else { &world.servers[nth].proxy };
        match how {
            Disturbance::Cut => proxy.cut(),
            Disturbance::Reset => proxy.reset(),
            Disturbance::Weather(weather) => {
                proxy.set(weather);
                self.hold().await;
                // A client that waits for a lost response would wait forever.
                if weather != slow {
                    proxy.reset();
                }
                proxy.set(Weather::Clear);
            }
        }
    }
}
