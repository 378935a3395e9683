//! What requests are sent with: the headers that a bucket's rules ask for, a digest, and what the file says of sessions. No
//! server that can be had here enforces all of it, so the requests are compared.

use super::*;

/// The headers of a request that a bucket's rules may ask for, as lines.
fn rules_of(seen: &Seen) -> Vec<String> {
    let rules = seen.headers.iter().filter(|(name, _)| {
        let name = name.as_str();
        name.starts_with("x-amz-")
            && !["x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent"].contains(&name)
    });
    let mut lines: Vec<String> = rules.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort();
    lines
}

/// Whether each of these headers is one that the signature covers: S3 refuses `x-amz-` headers that it does not cover.
fn are_signed(seen: &Seen) -> bool {
    let authorization = seen.headers["authorization"].to_str().unwrap();
    let (_, signed) = authorization.split_once("SignedHeaders=").unwrap();
    let signed: Vec<&str> = signed.split(',').next().unwrap().split(';').collect();
    seen.headers.keys().filter(|name| name.as_str().starts_with("x-amz-")).all(|name| signed.contains(&name.as_str()))
}

/// What each kind of request is sent with, under these rules.
async fn sent_under(rules: Rules) -> Vec<(String, Vec<String>)> {
    let server = serve(|seen| {
        let body = if seen.path_and_query.contains("?uploads") {
            "<InitiateMultipartUploadResult><UploadId>U1</UploadId></InitiateMultipartUploadResult>"
        } else if seen.method == "POST" {
            "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>"
        } else if seen.method == "GET" && seen.path_and_query.contains("list-type") {
            "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        } else if seen.path_and_query.contains("versioning") {
            "<VersioningConfiguration/>"
        } else {
            ""
        };
        (200, body.to_owned())
    })
    .await;
    let bucket = Bucket::open(&Settings::S3(S3Settings { rules, ..server.settings() })).await.unwrap();
    bucket.put("lease", Bytes::from_static(b"lease")).await.unwrap();
    bucket.put_if_absent("commit", Bytes::from_static(b"commit")).await.unwrap();
    let mut small = bucket.upload("small").unwrap();
    small.write(Bytes::from_static(b"small")).await.unwrap();
    small.finish().await.unwrap();
    let mut big = bucket.upload("big").unwrap();
    big.write(Bytes::from(vec![7; PART_SIZE])).await.unwrap();
    big.finish().await.unwrap();
    let mut given_up = bucket.upload("given-up").unwrap();
    given_up.write(Bytes::from(vec![7; PART_SIZE])).await.unwrap();
    given_up.abort().await.unwrap();
    bucket.list("folder").await.unwrap();
    bucket.delete("lease").await.unwrap();
    bucket.client().unwrap().get_bucket_versioning().bucket("lake").send().await.unwrap();
    let seen = server.seen();
    for seen in &seen {
        assert!(are_signed(seen), "{seen:?}");
        let puts = seen.method == "PUT";
        assert_eq!(puts, seen.headers.contains_key("x-amz-checksum-sha256"), "every put has a digest: {seen:?}");
    }
    let kind = |seen: &Seen| {
        let target = seen.path_and_query.split(['?', '&']).collect::<Vec<_>>();
        let name = target[0].rsplit('/').next().unwrap_or_default();
        let query = target.get(1).map(|query| format!("?{}", query.split('=').next().unwrap())).unwrap_or_default();
        format!("{} {name}{query}", seen.method)
    };
    let without_digest =
        |seen: &Seen| rules_of(seen).into_iter().filter(|line| !line.contains("-checksum-")).collect::<Vec<_>>();
    seen.iter().map(|seen| (kind(seen), without_digest(seen))).collect()
}

#[tokio::test]
async fn rules_of_buckets_are_sent() {
    let rules = Rules {
        encryption: Some(Encryption::Kms {
            key: Some("arn:aws:kms:eu-west-1:123456789012:key/k1".to_owned()),
            bucket_key: Some(true),
        }),
        acl: Some("bucket-owner-full-control".to_owned()),
        tags: [("cost center", "a&b"), ("team", "data")].map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        storage_class: Some("STANDARD_IA".to_owned()),
        expected_owner: Some("123456789012".to_owned()),
        requester_pays: true,
    };
    let always = ["x-amz-expected-bucket-owner: 123456789012", "x-amz-request-payer: requester"];
    let of_objects = [
        "x-amz-acl: bucket-owner-full-control",
        "x-amz-expected-bucket-owner: 123456789012",
        "x-amz-request-payer: requester",
        "x-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:eu-west-1:123456789012:key/k1",
        "x-amz-server-side-encryption-bucket-key-enabled: true",
        "x-amz-server-side-encryption: aws:kms",
        "x-amz-tagging: cost+center=a%26b&team=data",
    ];
    let class = "x-amz-storage-class: STANDARD_IA";
    let of_files = [of_objects.as_slice(), &[class]].concat();
    let mut sent = sent_under(rules).await;
    // Parts are on their way while other things are: their places in the order are chance.
    sent.sort();
    let mut kinds = Vec::new();
    for (kind, lines) in sent {
        let mut expected: Vec<&str> = match kind.as_str() {
            "PUT lease" | "PUT commit" => of_objects.to_vec(),
            "PUT small" | "POST big?uploads" | "POST given-up?uploads" => of_files.clone(),
            _ => always.to_vec(),
        };
        expected.sort_unstable();
        assert_eq!(lines, expected, "{kind}");
        kinds.push(kind);
    }
    kinds.dedup();
    for kind in [
        "DELETE given-up?uploadId",
        "DELETE lease",
        "GET ?versioning",
        "GET lake?list-type",
        "POST big?uploadId",
        "POST big?uploads",
        "PUT big?partNumber",
        "PUT commit",
        "PUT lease",
        "PUT small",
    ] {
        assert!(kinds.iter().any(|seen| seen == kind), "{kind} is not among {kinds:?}");
    }
}

#[tokio::test]
async fn each_way_to_encrypt_has_its_headers() {
    const ALGORITHM: &str = "x-amz-server-side-encryption";
    let key = || Some("alias/lake".to_owned());
    for (encryption, expected) in [
        (Encryption::S3, vec![format!("{ALGORITHM}: AES256")]),
        (Encryption::Kms { key: None, bucket_key: None }, vec![format!("{ALGORITHM}: aws:kms")]),
        (
            Encryption::Kms { key: key(), bucket_key: Some(false) },
            vec![
                format!("{ALGORITHM}-aws-kms-key-id: alias/lake"),
                format!("{ALGORITHM}-bucket-key-enabled: false"),
                format!("{ALGORITHM}: aws:kms"),
            ],
        ),
        (
            Encryption::KmsInTwoLayers { key: key() },
            vec![format!("{ALGORITHM}-aws-kms-key-id: alias/lake"), format!("{ALGORITHM}: aws:kms:dsse")],
        ),
    ] {
        let sent = sent_under(Rules { encryption: Some(encryption), ..Rules::default() }).await;
        let (_, lines) = sent.iter().find(|(kind, _)| kind == "PUT commit").unwrap();
        assert_eq!(*lines, expected);
    }
}

#[tokio::test]
async fn without_rules_nothing_is_sent_but_a_digest() {
    for (kind, lines) in sent_under(Rules::default()).await {
        assert!(lines.is_empty(), "{kind}: {lines:?}");
    }
}

#[tokio::test]
async fn a_session_is_asked_for_as_the_file_says() {
    let server = serve(|_| (200, session(1, "2999-01-01T00:00:00Z"))).await;
    let Settings::S3(mut settings) = server.with_role(None) else { unreachable!() };
    let role = settings.role.as_mut().unwrap();
    role.session_policy = Some("{\"Version\":\"2012-10-17\"}".to_owned());
    role.session_tags = [("team".to_owned(), "data".to_owned()), ("cost".to_owned(), "42".to_owned())].into();
    role.source_identity = Some("etl@example".to_owned());
    Bucket::open(&Settings::S3(settings)).await.unwrap();
    let asked = &server.seen()[0].body;
    for expected in [
        "Policy=%7B%22Version%22%3A%222012-10-17%22%7D",
        "Tags.member.1.Key=cost&Tags.member.1.Value=42&Tags.member.2.Key=team&Tags.member.2.Value=data",
        "SourceIdentity=etl%40example",
    ] {
        assert!(asked.contains(expected), "{expected} is not in {asked}");
    }
    let server = serve(|_| (200, session(1, "2999-01-01T00:00:00Z"))).await;
    Bucket::open(&server.with_role(None)).await.unwrap();
    let asked = &server.seen()[0].body;
    assert!(!["Policy=", "Tags.", "SourceIdentity="].iter().any(|it| asked.contains(it)), "{asked}");
}

/// Sessions that end before their time, as one by one S3 refuses them with this code.
async fn ending_early(status: u16, code: &'static str, refused: &'static [&'static str]) -> Server {
    let sessions = Arc::new(Mutex::new(0));
    serve(move |seen| {
        if seen.is_sts() {
            let mut sessions = sessions.lock().unwrap();
            *sessions += 1;
            return (200, session(*sessions, "2999-01-01T00:00:00Z"));
        }
        match seen.token.as_deref() {
            Some(token) if refused.contains(&token) => (status, s3_error(code, "no more")),
            _ => (200, String::new()),
        }
    })
    .await
}

#[tokio::test]
async fn a_session_that_has_ended_is_renewed_and_the_request_sent_again_once() {
    for (status, code) in [(400, "ExpiredToken"), (403, "InvalidAccessKeyId"), (400, "InvalidToken")] {
        let server = ending_early(status, code, &["token-1"]).await;
        let bucket = Bucket::open(&server.with_role(None)).await.unwrap();
        let mut upload = bucket.upload("big").unwrap();
        upload.write(Bytes::from_static(b"content")).await.unwrap();
        upload.finish().await.unwrap();
        let tokens: Vec<_> = server.seen().into_iter().filter_map(|seen| seen.token).collect();
        assert_eq!(tokens, ["token-1", "token-2"], "{code}");
    }
    let server = ending_early(400, "ExpiredToken", &["token-1", "token-2"]).await;
    let bucket = Bucket::open(&server.with_role(None)).await.unwrap();
    let error = bucket.put("x", Bytes::new()).await.unwrap_err();
    assert!(matches!(error, BucketError::Identity(IdentityError::Expired { service: "S3", .. })), "{error:?}");
    let tokens: Vec<_> = server.seen().into_iter().filter_map(|seen| seen.token).collect();
    assert_eq!(tokens, ["token-1", "token-2"], "once, and no more");
}

#[tokio::test]
async fn keys_that_are_fixed_are_not_tried_twice() {
    let server = serve(|_| (403, s3_error("InvalidAccessKeyId", "unknown"))).await;
    let bucket = Bucket::open(&Settings::S3(server.settings())).await.unwrap();
    let error = bucket.put("x", Bytes::new()).await.unwrap_err();
    assert!(matches!(error, BucketError::Identity(IdentityError::Refused { service: "S3", .. })), "{error:?}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn fips_and_dual_stack_are_asked_for_where_the_file_says_so() {
    let host = async |fips, dual_stack| {
        let server = Server { address: "127.0.0.1:1".parse().unwrap(), seen: Arc::default() };
        let settings = S3Settings { endpoint: None, fips, dual_stack, ..server.settings() };
        let sdk = identity::environment(&settings, None).await;
        endpoint::of(&sdk, "us-gov-west-1", &settings).unwrap().host_str().unwrap().to_owned()
    };
    assert_eq!(host(Some(true), Some(true)).await, "s3-fips.dualstack.us-gov-west-1.amazonaws.com");
    assert_eq!(host(Some(false), Some(true)).await, "s3.dualstack.us-gov-west-1.amazonaws.com");
    assert_eq!(host(Some(true), None).await, "s3-fips.us-gov-west-1.amazonaws.com");
    assert_eq!(host(None, None).await, "s3.us-gov-west-1.amazonaws.com");

    // The AWS SDK's client takes no endpoint beside these, unless it is told that the endpoint says them.
    let server = serve(|_| (200, "<VersioningConfiguration/>".to_owned())).await;
    let settings = S3Settings { fips: Some(true), dual_stack: Some(true), ..server.settings() };
    let bucket = Bucket::open(&Settings::S3(settings)).await.unwrap();
    bucket.client().unwrap().get_bucket_versioning().bucket("lake").send().await.unwrap();
}

#[tokio::test]
async fn sessions_do_not_come_over_the_network_in_the_clear() {
    let server = Server { address: "127.0.0.1:1".parse().unwrap(), seen: Arc::default() };
    let Settings::S3(settings) = server.with_role(None) else { unreachable!() };
    let check = |endpoint: &str, own: bool| {
        let mut settings = settings.clone();
        if !own {
            settings.role.as_mut().unwrap().sts_endpoint = None;
        }
        let sdk = aws_config::SdkConfig::builder().endpoint_url(endpoint).build();
        endpoint::check_sts(&sdk, &settings)
    };
    let error = check("http://sts.example", false).unwrap_err();
    let told = sluice_model::error_chain(&error);
    assert!(told.contains("the endpoint of STS that the AWS environment names would send data"), "{told}");
    check("https://sts.example", false).unwrap();
    check("http://127.0.0.1:9000", false).unwrap();
    check("http://sts.example", true).unwrap();
    // The chain asks STS for roles of its own, wherever the file's role is.
    let of_the_chain = S3Settings { credentials: Credentials::Chain, ..settings.clone() };
    let sdk = aws_config::SdkConfig::builder().endpoint_url("http://sts.example").build();
    endpoint::check_sts(&sdk, &of_the_chain).unwrap_err();
}
