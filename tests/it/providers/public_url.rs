//! The URL that a signature covers, behind reverse proxies.

use std::net::SocketAddr;
use std::sync::Arc;

use ledger_core::provider::Provider;
use ledger_tests::{OwnDatabase, run};
use reqwest::{Client, RequestBuilder};
use server::limits::Limits;
use server::service::{NetworkSettings, Service};

use super::{ProviderSource, send, twilio_signature};

const FORM: &str = "CallSid=CA1&CallStatus=ringing&Direction=inbound";

fn signed_for(public: &str, address: SocketAddr, path: &str) -> RequestBuilder {
    Client::new()
        .post(format!("http://{address}{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", twilio_signature(&format!("{public}{path}"), FORM))
        .body(FORM)
}

#[test]
fn a_signature_covers_the_public_url_of_the_setting_or_of_a_trusted_proxy() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Twilio).await;
        let path = format!("/ingest/{}", source.source_id);
        let any = NetworkSettings::at(SocketAddr::from(([127, 0, 0, 1], 0)));
        let proxies = vec!["127.0.0.1/32".parse().expect("a network")];
        let set = NetworkSettings {
            public_url: Some("https://ledger.example.com/base".into()),
            proxies: proxies.clone(),
            ..any.clone()
        };
        let behind = NetworkSettings { proxies, ..any.clone() };
        for (network, public, status) in [
            (&set, "https://ledger.example.com/base", 200),
            (&set, "https://forwarded.example.com", 401),
            (&behind, "https://forwarded.example.com", 200),
            (&behind, "https://ledger.example.com/base", 401),
            (&any, "https://forwarded.example.com", 401),
        ] {
            let service =
                Service::start_with_network(Limits::default(), Arc::clone(&ledger.store), network);
            let service = service.await.expect("it starts");
            let request = signed_for(public, service.address, &path)
                .header("x-forwarded-proto", "https")
                .header("x-forwarded-host", "forwarded.example.com");
            assert_eq!(send(request).await.0, status, "{public} {network:?}");
            service.stop().await.expect("it drains");
        }
        ledger.stop().await;
    });
}
