//! `sluice iam`: what AWS must be told so that a pipeline may use its bucket, and nothing else.
//!
//! The standard output has the document alone, so that it can stand in a command of AWS's. What was taken for granted, made
//! up, or is to be done beside it is said on the standard error output.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use sluice_lake::iam::{Document, Form, Principal, end_unfinished_uploads};

use super::{Usage, output::Output};
use crate::pipeline::{Permissions, Pipeline};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print what the role may do: the policy for `aws iam put-role-policy`.
    Policy {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        use_of_bucket: UseOfBucket,
    },
    /// Print who may assume the role: its trust policy.
    Trust {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        whom: Whom,
    },
    /// Print what makes the role: the input of `aws iam create-role`, or, in the other forms, the role with its
    /// policy.
    Role {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        use_of_bucket: UseOfBucket,
    },
}

#[derive(Debug, Args)]
pub(super) struct File {
    /// The pipeline file.
    file: PathBuf,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Whom {
    /// Who assumes the role: the ARN of a role, a user, or an account (`…:root`). Default: the role's account, and there
    /// whomever its administrators let.
    #[arg(long, value_name = "ARN")]
    principal: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct UseOfBucket {
    /// Also allow what a bucket with versioning needs so that objects can be removed with all their versions.
    #[arg(long)]
    versions: bool,
}

/// How a document is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For the AWS command line.
    Json,
    /// A file of Terraform's, `sluice.tf.json`.
    Terraform,
    /// A template of AWS's own.
    #[value(name = "cloudformation")]
    CloudFormation,
}

impl Format {
    fn form(self) -> Form {
        match self {
            Self::Json => Form::Json,
            Self::Terraform => Form::Terraform,
            Self::CloudFormation => Form::CloudFormation,
        }
    }
}

pub(super) fn iam(command: &Command, output: &mut Output) -> anyhow::Result<()> {
    match command {
        Command::Policy { file, use_of_bucket } => {
            let pipeline = Pipeline::read(&file.file)?;
            let permissions = pipeline.permissions()?;
            say_partition(&permissions, output);
            let policy = policy(&permissions, use_of_bucket);
            say_capability(file.format, output);
            output.written_json(&permissions.handover().policy(&policy, file.format.form()))
        }
        Command::Trust { file, whom } => {
            let pipeline = Pipeline::read(&file.file)?;
            let permissions = pipeline.permissions()?;
            let trust = trust(&permissions, whom, &file.file, output)?;
            say_capability(file.format, output);
            output.written_json(&permissions.made(permissions.handover().trust(&trust, file.format.form()))?)
        }
        Command::Role { file, whom, use_of_bucket } => {
            let pipeline = Pipeline::read(&file.file)?;
            let permissions = pipeline.permissions()?;
            let trust = trust(&permissions, whom, &file.file, output)?;
            let policy = policy(&permissions, use_of_bucket);
            let role = permissions.made(permissions.handover().role(&trust, &policy, file.format.form()))?;
            if file.format == Format::Json {
                let versions = if use_of_bucket.versions { " --versions" } else { "" };
                output.say(&format!(
                    "the role may do nothing until it is given the policy that `sluice iam policy{versions}` prints"
                ));
            }
            say_capability(file.format, output);
            say_lifecycle(&permissions, output);
            output.written_json(&role)
        }
    }
}

fn policy(permissions: &Permissions<'_>, use_of_bucket: &UseOfBucket) -> Document {
    if use_of_bucket.versions {
        permissions.access.clone().with_versions().policy()
    } else {
        permissions.access.policy()
    }
}

/// The trust policy; what the file leaves open is told.
fn trust(permissions: &Permissions<'_>, whom: &Whom, file: &Path, output: &mut Output) -> anyhow::Result<Document> {
    let principal = match &whom.principal {
        Some(arn) => Principal::parse(arn)
            .map_err(|error| Usage(format!("`--principal` cannot be used: {error}; {}", error.hint())))?,
        None => permissions.account()?,
    };
    let (external_id, made) = match permissions.external_id() {
        Some(id) => (id.to_owned(), false),
        None => (new_external_id()?, true),
    };
    let trust = permissions.trust(principal.clone(), external_id.clone())?;
    if whom.principal.is_none() {
        output.say(&format!(
            "the role trusts `{}`: whoever in this account is allowed `sts:AssumeRole` on it; `--principal ARN` trusts one \
             role or user instead",
            principal.text
        ));
    }
    if made {
        let file = file.display();
        output.say(&format!(
            "`{file}` has no external id, so one was made; add it to `role` under [sink], or each document has another:"
        ));
        output.say(&format!("external_id = \"{external_id}\""));
    }
    Ok(trust.policy())
}

/// An external id that nobody can guess: 128 bits, as 32 hexadecimal digits.
fn new_external_id() -> anyhow::Result<String> {
    let random = || getrandom::u64().context("the operating system gives no random number for an external id");
    Ok(format!("{:016x}{:016x}", random()?, random()?))
}

fn say_partition(permissions: &Permissions<'_>, output: &mut Output) {
    if !permissions.partition_is_said {
        output.say(&format!(
            "the file names neither a region nor a role, so the bucket is taken to be in the partition `{}`; `region` under \
             [sink] says otherwise",
            permissions.access.partition().arn
        ));
    }
}

fn say_capability(format: Format, output: &mut Output) {
    if format == Format::CloudFormation {
        output.say(
            "CloudFormation asks for `--capabilities CAPABILITY_NAMED_IAM` where a template names roles or policies",
        );
    }
}

/// The bucket is not ours to set up: its owner is told what it should have.
fn say_lifecycle(permissions: &Permissions<'_>, output: &mut Output) {
    let rule = end_unfinished_uploads(permissions.prefix).to_string().replace('\'', r"'\''");
    output.say(
        "the bucket should remove what unfinished uploads leave, which no list shows (this replaces the rules that it has):",
    );
    output.say(&format!(
        "aws s3api put-bucket-lifecycle-configuration --bucket {} --lifecycle-configuration '{rule}'",
        permissions.bucket
    ));
}
