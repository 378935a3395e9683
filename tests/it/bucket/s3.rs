//! Buckets on S3, as far as the simulator is S3: roles and their ends, permissions, lost answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use sluice_lake::state::lease::{Holder, Lease, LeaseError};
use sluice_lake::{
    bucket::{Bucket, BucketError, Credentials, PART_SIZE, Put, Role, S3Settings, Settings},
    table::{Author, Change, CommitLog, Commits, LogError},
};
use sluice_model::{clock::Clock, run_id::RunId, secret::Secret};

use bytes::Bytes;
use sluice_simulator::aws::{self, Action, Fault, FaultAction, Permissions, Service};
use tempfile::TempDir;
use tokio::sync::Barrier;

use super::contract::keeps_the_contract;

/// A simulated account, and the folder it lives in.
struct Account {
    aws: aws::Running,
    _folder: TempDir,
}

impl Account {
    async fn new() -> Self {
        Self::with(aws::Options::default()).await
    }

    async fn with(options: aws::Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = aws::Options { root: folder.path().to_owned(), ..options };
        Self { aws: aws::start(options, None).await.unwrap(), _folder: folder }
    }

    /// The bucket as the role may use it.
    fn settings(&self) -> S3Settings {
        let account = aws::Options::default();
        let endpoint = self.aws.endpoint().parse().unwrap();
        S3Settings {
            region: Some(account.region),
            endpoint: Some(endpoint),
            path_style: true,
            credentials: Credentials::Static {
                access_key_id: Secret::new(&account.access_key_id),
                secret_access_key: Secret::new(&account.secret_access_key),
                session_token: None,
            },
            role: Some(self.role(Some(&account.external_id))),
            ..S3Settings::of(&account.bucket, "crm/raw")
        }
    }

    fn role(&self, external_id: Option<&str>) -> Role {
        Role {
            external_id: external_id.map(str::to_owned),
            sts_endpoint: Some(self.aws.endpoint().parse().unwrap()),
            ..Role::of(&aws::Options::default().role_arn, "sluice-crm")
        }
    }

    async fn open(&self) -> Bucket {
        Bucket::open(&Settings::S3(self.settings())).await.unwrap()
    }

    async fn refusal(&self, change: impl FnOnce(&mut S3Settings)) -> BucketError {
        let mut settings = self.settings();
        change(&mut settings);
        match Bucket::open(&Settings::S3(settings)).await {
            Ok(bucket) => bucket.put("contacts/x", Bytes::new()).await.unwrap_err(),
            Err(error) => error,
        }
    }

    /// Sessions that were issued.
    fn sessions(&self) -> usize {
        let requests = self.aws.requests();
        requests.iter().filter(|request| request.service == Service::Sts && request.status == Some(200)).count()
    }

    /// What the first request to put something of this key does.
    fn fail_put(&self, key: &str, nth: std::ops::RangeInclusive<u64>, action: FaultAction) {
        self.fail(http::Method::PUT, key, nth, action);
    }

    fn fail(&self, method: http::Method, target: &str, nth: std::ops::RangeInclusive<u64>, action: FaultAction) {
        let target_contains = target.to_owned();
        self.aws.add_fault(Fault { service: Service::S3, method: Some(method), target_contains, nth, action });
    }
}

/// An error and its causes as people are shown them, without the ids of requests.
fn told(error: &BucketError) -> String {
    let mut lines = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let line = error.to_string();
        lines.push(format!("caused by: {}", line.split(" (request `").next().unwrap()));
        cause = error.source();
    }
    lines.extend(error.hint().map(|hint| format!("hint: {hint}")));
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_keeps_the_contract() {
    let account = Account::new().await;
    keeps_the_contract(&account.open().await).await;
    assert!(account.aws.open_uploads().is_empty(), "{:?}", account.aws.open_uploads());
    assert_eq!(account.sessions(), 1);
}

/// To whom S3 says that an object is forbidden which is absent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_of_one_folder_keeps_the_contract_and_makes_commits() {
    let permissions = Permissions::all().within("crm/raw/");
    let account = Account::with(aws::Options { permissions, ..aws::Options::default() }).await;
    let bucket = account.open().await;
    keeps_the_contract(&bucket).await;
    let log = CommitLog::of(&bucket);
    assert_eq!(log.read(1).await.unwrap(), None);
    let first = log.commit(None, change(run(1))).await.unwrap();
    // Made again on the newer one, after which there is none.
    let mut other = change(run(2));
    other.author.pipeline = "other".to_owned();
    assert_eq!(log.commit(None, other).await.unwrap().number, first.number + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_outlives_the_session_it_began_with() {
    let options = aws::Options { session_lifetime: Some(Duration::from_secs(2)), ..aws::Options::default() };
    let account = Account::with(options).await;
    let bucket = account.open().await;
    let mut upload = bucket.upload("contacts/big").unwrap();
    upload.write(Bytes::from(vec![1; PART_SIZE])).await.unwrap();
    while account.sessions() < 3 {
        bucket.put("contacts/other", Bytes::from_static(b"meanwhile")).await.unwrap();
    }
    upload.write(Bytes::from(vec![2; PART_SIZE])).await.unwrap();
    assert_eq!(upload.finish().await.unwrap(), 2 * PART_SIZE as u64);
    assert_eq!(bucket.get("contacts/big").await.unwrap().unwrap().len(), 2 * PART_SIZE);
}

#[tokio::test]
async fn what_the_account_refuses_is_told_with_what_would_mend_it() {
    let account = Account::new().await;
    let error = account.refusal(|settings| settings.role = Some(account.role(Some("wrong")))).await;
    insta::assert_snapshot!(told(&error), @r"
    role `arn:aws:iam::123456789012:role/sluice-destination` cannot be assumed (session `sluice-crm`, an external id was sent)
    caused by: STS answered 403 `AccessDenied`: User: arn:aws:iam::123456789012:user/sluice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/sluice-destination
    hint: the role's trust policy must allow `sts:AssumeRole` to the identity that asks, with this external id, to the letter; the identity's own policy must allow it, too
    ");
    let error = account.refusal(|settings| settings.role = Some(account.role(None))).await;
    insta::assert_snapshot!(told(&error), @r"
    role `arn:aws:iam::123456789012:role/sluice-destination` cannot be assumed (session `sluice-crm`, no external id was sent)
    caused by: STS answered 403 `AccessDenied`: User: arn:aws:iam::123456789012:user/sluice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/sluice-destination
    hint: the role's trust policy must allow `sts:AssumeRole` to the identity that asks; if it asks for `sts:ExternalId`, set `external_id`; the identity's own policy must allow it, too
    ");
    let error = account.refusal(|settings| settings.bucket = "elsewhere".to_owned()).await;
    insta::assert_snapshot!(told(&error), @r"
    there is no bucket `elsewhere`
    caused by: S3 answered 404 `NoSuchBucket`: The specified bucket does not exist
    hint: a run creates no buckets: check the name and, where one is set, the endpoint
    ");
    let error = account.refusal(|settings| settings.region = Some("eu-west-1".to_owned())).await;
    insta::assert_snapshot!(told(&error), @r"
    bucket `bucket` is not in region `eu-west-1`
    caused by: S3 answered 400 `AuthorizationHeaderMalformed`: The authorization header is malformed; the region 'eu-west-1' is wrong; expecting 'us-east-1'
    hint: `aws s3api get-bucket-location --bucket bucket` tells the region to set
    ");
    let error = account.refusal(|settings| {
        settings.credentials = Credentials::Static {
            access_key_id: Secret::new("AKIAIOSFODNN7EXAMPLE"),
            secret_access_key: Secret::new("another"),
            session_token: None,
        };
    });
    insta::assert_snapshot!(told(&error.await), @r"
    STS does not accept the AWS credentials
    caused by: STS answered 403 `SignatureDoesNotMatch`: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
    hint: check the access keys: they may be deleted, or of another account or store
    ");
    // The user's own keys may do nothing but assume the role.
    let error = account.refusal(|settings| settings.role = None).await;
    insta::assert_snapshot!(told(&error), @r#"
    `s3:PutObject` is not allowed on `s3://bucket/crm/raw/contacts/x`
    caused by: S3 answered 403 `AccessDenied`: User: arn:aws:iam::123456789012:user/sluice is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::bucket/crm/raw/contacts/x" because no identity-based policy allows the s3:PutObject action
    hint: a policy of the identity must allow `s3:PutObject` on `arn:aws:s3:::bucket/crm/raw/*`, and none may deny it
    "#);
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    for action in [Action::GetObject, Action::PutObject, Action::ListBucket, Action::DeleteObject] {
        let options = aws::Options { permissions: Permissions::all().without(action), ..aws::Options::default() };
        let account = Account::with(options).await;
        let bucket = account.open().await;
        let error = match action {
            Action::GetObject => bucket.get("x").await.unwrap_err(),
            Action::ListBucket => bucket.list("x").await.unwrap_err(),
            Action::DeleteObject => bucket.delete("x").await.unwrap_err(),
            _ => bucket.put("x", Bytes::new()).await.unwrap_err(),
        };
        let BucketError::AccessDenied { action: named, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*named, action.name());
        assert!(error.hint().unwrap().contains(action.name()), "{:?}", error.hint());
    }
}

#[tokio::test]
async fn a_session_that_was_ended_is_renewed_and_nothing_is_lost_of_an_upload() {
    let account = Account::new().await;
    let bucket = account.open().await;
    let mut upload = bucket.upload("contacts/big").unwrap();
    for fill in 1..=3 {
        account.aws.expire_sessions();
        upload.write(Bytes::from(vec![fill; PART_SIZE])).await.unwrap();
    }
    account.aws.expire_sessions();
    assert_eq!(upload.finish().await.unwrap(), 3 * PART_SIZE as u64);
    assert_eq!(bucket.get("contacts/big").await.unwrap().unwrap().len(), 3 * PART_SIZE);
    assert!(account.sessions() > 1);
}

#[tokio::test]
async fn a_failed_upload_leaves_nothing() {
    let account = Account::new().await;
    let bucket = account.open().await;
    account.fail_put("partNumber=2", 1..=1, FaultAction::AccessDenied);
    let mut upload = bucket.upload("contacts/big").unwrap();
    // The failure of a part may show at any later step.
    let mut written = Ok(());
    for fill in 1..=3 {
        written = written.and(upload.write(Bytes::from(vec![fill; PART_SIZE])).await);
    }
    match written {
        Ok(()) => drop(upload.finish().await.unwrap_err()),
        Err(_) => upload.abort().await.unwrap(),
    }
    assert!(account.aws.open_uploads().is_empty());
    assert!(bucket.list("contacts").await.unwrap().is_empty());
}

#[tokio::test]
async fn lost_answers_change_nothing() {
    let account = Account::new().await;
    let bucket = account.open().await;
    // A conditional put that took effect is told as one that was too late, and is for its caller to recognize.
    account.fail_put("raw/once", 1..=1, FaultAction::InternalErrorAfterwards);
    assert_eq!(bucket.put_if_absent("once", Bytes::from_static(b"mine")).await.unwrap(), Put::Exists);
    assert_eq!(bucket.get("once").await.unwrap().unwrap(), "mine");
    for (key, action) in [("a", FaultAction::InternalErrorAfterwards), ("b", FaultAction::CutAfterwards)] {
        account.fail_put(&format!("raw/{key}"), 1..=1, action);
        bucket.put(key, Bytes::from_static(b"content")).await.unwrap();
        account.fail(http::Method::POST, &format!("big-{key}?uploadId"), 1..=1, action);
        let mut upload = bucket.upload(&format!("big-{key}")).unwrap();
        upload.write(Bytes::from(vec![1; PART_SIZE + 1])).await.unwrap();
        assert_eq!(upload.finish().await.unwrap(), PART_SIZE as u64 + 1);
    }
    assert_eq!(bucket.list("").await.unwrap().len(), 5);
}

fn run(number: u32) -> RunId {
    format!("20261123T201500Z-{number:08x}").parse().unwrap()
}

fn change(run: RunId) -> Change {
    let author = Author { run, pipeline: "crm".to_owned(), version: "0.1.0".to_owned(), plugins: BTreeMap::new() };
    Change { author, committed: jiff::Timestamp::UNIX_EPOCH, tables: BTreeMap::new(), retired: BTreeSet::new() }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_a_commit_and_a_late_one_is_not() {
    for action in [FaultAction::InternalErrorAfterwards, FaultAction::CutAfterwards, FaultAction::Cut] {
        let account = Account::new().await;
        let log = CommitLog::of(&account.open().await);
        account.fail_put("_sluice/commits", 1..=1, action);
        let commit = log.commit(None, change(run(1))).await.unwrap();
        assert_eq!(log.latest().await.unwrap(), Some(commit), "{action:?}");
        account.fail_put("_sluice/commits", 1..=1, action);
        let error = log.commit(None, change(run(2))).await.unwrap_err();
        assert!(matches!(&error, LogError::Raced { run: winner, .. } if *winner == run(1)), "{action:?}: {error}");
    }
}

/// The same in memory and in a folder stands beside the lease.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_runs_at_once_one_holds_the_lease_and_the_other_names_it() {
    const ROUNDS: u32 = 1000;
    let account = Account::new().await;
    let bucket = account.open().await;
    let barrier = Arc::new(Barrier::new(2));
    for round in 0..ROUNDS {
        let [left, right] = [2 * round, 2 * round + 1].map(|number| {
            let (bucket, barrier) = (bucket.clone(), Arc::clone(&barrier));
            let holder =
                Holder { run: run(number), pipeline: "crm".to_owned(), host: "worker".to_owned(), pid: number };
            tokio::spawn(async move {
                barrier.wait().await;
                let taken = Lease::take(&bucket, holder, Clock::system()).await;
                barrier.wait().await;
                taken.map_err(|error| (number, error))
            })
        });
        let outcomes = (left.await.unwrap(), right.await.unwrap());
        let ((Ok(lease), Err((loser, refusal))) | (Err((loser, refusal)), Ok(lease))) = outcomes else {
            panic!("round {round}: not one of two, but {outcomes:?}");
        };
        let LeaseError::Held { entry, .. } = refusal else { panic!("round {round}: {refusal}") };
        let winner = if loser == 2 * round { loser + 1 } else { loser - 1 };
        assert_eq!(entry.holder.run, run(winner), "round {round}");
        lease.release().await.unwrap();
    }
}
