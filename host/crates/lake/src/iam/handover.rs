//! Documents in the forms in which they are handed to AWS.
//!
//! By themselves, or as what makes the role: the input of `aws iam create-role`, a file of Terraform's in its JSON syntax
//! (`sluice.tf.json`), or a template of `CloudFormation`.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{arn::RoleArn, error::IamError};
use crate::policy::{Document, pretty};

/// The shortest longest session that a role can allow.
const SHORTEST_LONGEST_SESSION: Duration = Duration::from_hours(1);

/// What our resource is called among those of a Terraform module.
const TERRAFORM_NAME: &str = "sluice";

/// The form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As IAM writes it, for the AWS command line.
    Json,
    /// Terraform's JSON syntax.
    Terraform,
    /// A template of `CloudFormation`.
    CloudFormation,
}

/// What is handed to AWS of a pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Handover<'h> {
    /// The pipeline's name.
    pub pipeline: &'h str,
    /// The role, where the pipeline file names one.
    pub role: Option<&'h RoleArn>,
    /// How long a session lasts.
    pub session: Duration,
}

impl Handover<'_> {
    /// What the role may do: the policy itself, or what puts it on the role that there is. Without a role, a policy that can
    /// be put on whoever runs the pipeline.
    pub fn policy(&self, policy: &Document, form: Form) -> String {
        let name = self.policy_name();
        match (form, self.role) {
            (Form::Json, _) => policy.pretty(),
            (Form::Terraform, Some(role)) => {
                let role = in_terraform(&role.name);
                terraform(Resources {
                    role_policy: Some(named(role_policy(&name, role, policy))),
                    ..Resources::default()
                })
            }
            (Form::Terraform, None) => {
                let policy = TerraformPolicy { name, policy: in_terraform(&policy.compact()) };
                terraform(Resources { policy: Some(named(policy)), ..Resources::default() })
            }
            (Form::CloudFormation, Some(role)) => {
                let properties = Properties {
                    role_name: Some(&role.name),
                    policy_name: Some(name),
                    policy_document: Some(policy),
                    ..Properties::default()
                };
                cloudformation("Policy", "AWS::IAM::RolePolicy", properties)
            }
            (Form::CloudFormation, None) => {
                let properties = Properties {
                    managed_policy_name: Some(name),
                    policy_document: Some(policy),
                    ..Properties::default()
                };
                cloudformation("Policy", "AWS::IAM::ManagedPolicy", properties)
            }
        }
    }

    /// Who may assume the role: the policy itself, or what makes a role with it that may do nothing yet.
    pub fn trust(&self, trust: &Document, form: Form) -> Result<String, IamError> {
        match form {
            Form::Json => Ok(trust.pretty()),
            Form::Terraform | Form::CloudFormation => self.made(trust, None, form),
        }
    }

    /// What makes the role. The input of `aws iam create-role` has no place for what the role may do.
    pub fn role(&self, trust: &Document, policy: &Document, form: Form) -> Result<String, IamError> {
        self.made(trust, Some(policy), form)
    }

    fn made(&self, trust: &Document, policy: Option<&Document>, form: Form) -> Result<String, IamError> {
        let role = self.role.ok_or(IamError::NoRole)?;
        let description = format!("Writes the tables of the pipeline {}", self.pipeline);
        let longest_session = self.session.max(SHORTEST_LONGEST_SESSION).as_secs();
        Ok(match form {
            Form::Json => pretty(&CreateRole {
                path: &role.path,
                role_name: &role.name,
                assume_role_policy_document: trust.compact(),
                description,
                max_session_duration: longest_session,
            }),
            Form::Terraform => {
                let its_name = format!("${{aws_iam_role.{TERRAFORM_NAME}.name}}");
                terraform(Resources {
                    role: Some(named(TerraformRole {
                        name: in_terraform(&role.name),
                        path: in_terraform(&role.path),
                        description: in_terraform(&description),
                        max_session_duration: longest_session,
                        assume_role_policy: in_terraform(&trust.compact()),
                    })),
                    role_policy: policy.map(|policy| named(role_policy(&self.policy_name(), its_name, policy))),
                    ..Resources::default()
                })
            }
            Form::CloudFormation => {
                let policy_name = self.policy_name();
                let properties = Properties {
                    role_name: Some(&role.name),
                    path: Some(&role.path),
                    description: Some(description),
                    max_session_duration: Some(longest_session),
                    assume_role_policy_document: Some(trust),
                    policies: policy.map(|policy| [InlinePolicy { policy_name, policy_document: policy }]),
                    ..Properties::default()
                };
                cloudformation("Role", "AWS::IAM::Role", properties)
            }
        })
    }

    /// What the policy is called: a role can have those of several pipelines.
    fn policy_name(&self) -> String {
        format!("sluice-{}", self.pipeline)
    }
}

/// The input of `aws iam create-role`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateRole<'r> {
    path: &'r str,
    role_name: &'r str,
    assume_role_policy_document: String,
    description: String,
    max_session_duration: u64,
}

/// A file of Terraform's, with resources of the AWS provider.
#[derive(Serialize)]
struct Terraform {
    resource: Resources,
}

/// Resources by their kind and name.
#[derive(Default, Serialize)]
struct Resources {
    #[serde(rename = "aws_iam_role", skip_serializing_if = "Option::is_none")]
    role: Option<Named<TerraformRole>>,
    #[serde(rename = "aws_iam_role_policy", skip_serializing_if = "Option::is_none")]
    role_policy: Option<Named<TerraformRolePolicy>>,
    #[serde(rename = "aws_iam_policy", skip_serializing_if = "Option::is_none")]
    policy: Option<Named<TerraformPolicy>>,
}

type Named<T> = BTreeMap<&'static str, T>;

#[derive(Serialize)]
struct TerraformRole {
    name: String,
    path: String,
    description: String,
    max_session_duration: u64,
    assume_role_policy: String,
}

#[derive(Serialize)]
struct TerraformRolePolicy {
    name: String,
    role: String,
    policy: String,
}

#[derive(Serialize)]
struct TerraformPolicy {
    name: String,
    policy: String,
}

fn named<T>(resource: T) -> Named<T> {
    BTreeMap::from([(TERRAFORM_NAME, resource)])
}

fn role_policy(name: &str, role: String, policy: &Document) -> TerraformRolePolicy {
    TerraformRolePolicy { name: in_terraform(name), role, policy: in_terraform(&policy.compact()) }
}

fn terraform(resource: Resources) -> String {
    pretty(&Terraform { resource })
}

/// A text that Terraform is to take as it is: to it each is a template.
fn in_terraform(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

/// A template of `CloudFormation`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Template<'t> {
    #[serde(rename = "AWSTemplateFormatVersion")]
    version: &'static str,
    resources: BTreeMap<&'static str, Resource<'t>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Resource<'t> {
    r#type: &'static str,
    properties: Properties<'t>,
}

/// The properties of all kinds of resource that we make; each has some.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Properties<'t> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role_name: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_session_duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assume_role_policy_document: Option<&'t Document>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policies: Option<[InlinePolicy<'t>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    managed_policy_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_document: Option<&'t Document>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InlinePolicy<'t> {
    policy_name: String,
    policy_document: &'t Document,
}

fn cloudformation(name: &'static str, kind: &'static str, properties: Properties<'_>) -> String {
    pretty(&Template {
        version: "2010-09-09",
        resources: BTreeMap::from([(name, Resource { r#type: kind, properties })]),
    })
}
