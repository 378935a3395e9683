use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::sync::Barrier;

use super::*;
use crate::bucket::{Cause, s3};

const HOUR: Duration = Duration::from_hours(1);

/// A clock and an issuer that a test moves by hand.
#[derive(Debug, Default)]
struct Scene {
    seconds: AtomicU64,
    issued: AtomicU32,
    fails: AtomicBool,
    lasts: AtomicU64,
}

#[derive(Debug)]
struct Numbered(Arc<Scene>);

#[async_trait]
impl Issuer for Numbered {
    async fn issue(&self) -> Result<Issued, IdentityError> {
        // Others get to ask in the meantime.
        tokio::task::yield_now().await;
        let number = self.0.issued.fetch_add(1, Ordering::SeqCst) + 1;
        if self.0.fails.load(Ordering::SeqCst) {
            return Err(IdentityError::Unreachable { service: "STS", source: Cause::new("not today") });
        }
        let credential = AwsCredential { key_id: format!("session {number}"), secret_key: String::new(), token: None };
        Ok(Issued { credential, lasts: Some(Duration::from_secs(self.0.lasts.load(Ordering::SeqCst))) })
    }
}

fn scene(lasts: Duration) -> (Arc<Scene>, Renewed) {
    let scene = Arc::new(Scene { lasts: AtomicU64::new(lasts.as_secs()), ..Scene::default() });
    let shown = Arc::clone(&scene);
    let clock =
        Clock::new(move || after(Timestamp::UNIX_EPOCH, Duration::from_secs(shown.seconds.load(Ordering::SeqCst))));
    (Arc::clone(&scene), Renewed::new(Box::new(Numbered(scene)), clock))
}

impl Scene {
    fn set_time(&self, seconds: u64) {
        self.seconds.store(seconds, Ordering::SeqCst);
    }
}

async fn key(renewed: &Renewed) -> String {
    renewed.current().await.unwrap().key_id.clone()
}

#[tokio::test]
async fn credentials_are_kept_until_the_margin_and_then_renewed() {
    let (scene, renewed) = scene(HOUR);
    assert_eq!(key(&renewed).await, "session 1");
    scene.set_time(3299);
    assert_eq!(key(&renewed).await, "session 1");
    scene.set_time(3300);
    assert_eq!(key(&renewed).await, "session 2");
    scene.set_time(3300 + 3299);
    assert_eq!(key(&renewed).await, "session 2");
}

#[tokio::test]
async fn a_short_session_is_used_for_two_thirds_of_its_length() {
    let (scene, renewed) = scene(Duration::from_secs(30));
    assert_eq!(key(&renewed).await, "session 1");
    scene.set_time(19);
    assert_eq!(key(&renewed).await, "session 1");
    scene.set_time(20);
    assert_eq!(key(&renewed).await, "session 2");
}

#[tokio::test]
async fn a_failed_renewal_is_bridged_and_tried_again_at_intervals() {
    let (scene, renewed) = scene(HOUR);
    assert_eq!(key(&renewed).await, "session 1");
    scene.fails.store(true, Ordering::SeqCst);
    scene.set_time(3300);
    for _ in 0..100 {
        assert_eq!(key(&renewed).await, "session 1");
    }
    assert_eq!(scene.issued.load(Ordering::SeqCst), 2, "one try, however many ask");
    scene.set_time(3360);
    assert_eq!(key(&renewed).await, "session 1");
    assert_eq!(scene.issued.load(Ordering::SeqCst), 3);
    scene.fails.store(false, Ordering::SeqCst);
    scene.set_time(3420);
    assert_eq!(key(&renewed).await, "session 4");
}

#[tokio::test]
async fn once_the_old_have_ended_the_failure_is_told() {
    let (scene, renewed) = scene(HOUR);
    assert_eq!(key(&renewed).await, "session 1");
    scene.fails.store(true, Ordering::SeqCst);
    scene.set_time(3600);
    let error = renewed.current().await.unwrap_err();
    assert_eq!(error.to_string(), "STS could not be reached for credentials");
}

#[tokio::test]
async fn many_that_ask_at_once_cause_one_renewal() {
    let (scene, renewed) = scene(HOUR);
    let renewed = Arc::new(renewed);
    for (time, expected) in [(0, 1), (3300, 2), (10_000, 3)] {
        scene.set_time(time);
        let barrier = Arc::new(Barrier::new(50));
        let asking: Vec<_> = (0..50)
            .map(|_| {
                let (renewed, barrier) = (Arc::clone(&renewed), Arc::clone(&barrier));
                tokio::spawn(async move {
                    barrier.wait().await;
                    renewed.current().await.unwrap();
                })
            })
            .collect();
        for task in asking {
            task.await.unwrap();
        }
        assert_eq!(scene.issued.load(Ordering::SeqCst), expected, "at {time} s");
    }
}

#[test]
fn a_request_ends_within_the_margin() {
    assert!(2 * s3::REQUEST_TIMEOUT <= MARGIN, "and there is time to try again");
}
