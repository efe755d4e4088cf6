//! Towards vendors inside the house: certificates of an authority that only the operator knows.

use tollgate_tests::endpoints::{CLAUDE, EMBED, ENDPOINTS, Endpoint, GPT};
use tollgate_tests::gateway::Setup;
use tollgate_tests::simulator::Simulator;
use tollgate_tests::world::{World, upstream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_with_a_certificate_of_the_operators_own_authority_is_reached_and_a_stranger_is_not()
 {
    let ((vendor, authority), (stranger, _)) =
        (Simulator::start_tls().await, Simulator::start_tls().await);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority).unwrap();
    let path = format!("{:?}", file.path());
    let setup = Setup::new(&["openai", "anthropic"]).set("upstream", "extra_ca_file", &path);
    let world = World::with(setup).await;
    for (simulator, reached) in [(&stranger, false), (&vendor, true)] {
        assert!(simulator.base_url().starts_with("https://"));
        for (name, models) in [("openai", &[GPT, EMBED][..]), ("anthropic", &[CLAUDE])] {
            let record = upstream(simulator, name, models);
            world.management().upstream(name, record).await;
        }
        for endpoint in &ENDPOINTS {
            for stream in [false, endpoint.streams] {
                let reply = world.ask(endpoint, stream).await;
                assert_eq!(reply.status() == 200, reached, "{}", reply.text());
                assert!(reply.complete);
            }
        }
    }
    assert!(
        stranger.received().is_empty(),
        "a stranger was told a secret"
    );
    assert!(world.simulator.received().is_empty());
    let rows = world.management().rows().await;
    let answered = rows.iter().find(|row| row.status() == 200).unwrap();
    assert_eq!(
        answered.tokens(),
        Endpoint::of(answered.text("operation")).tokens
    );
}
