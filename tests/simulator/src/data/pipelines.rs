//! Pipelines and their stages.

use serde_json::{Map, Value, json};

use super::clock;

/// HubSpot's own pipelines were created at the epoch.
const DEFAULT_CREATED: i64 = 0;

/// A pipeline of one object type.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub(crate) id: String,
    pub(crate) label: &'static str,
    pub(crate) stages: Vec<Stage>,
    hubspot_defined: bool,
    display_order: usize,
}

/// A stage of a pipeline.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) id: String,
    pub(crate) label: &'static str,
    /// Keys and values as HubSpot sends them: the values are text, whatever they mean.
    metadata: Vec<(&'static str, &'static str)>,
}

impl Pipeline {
    /// Without the stages.
    pub(crate) fn listing(&self) -> Value {
        let created = if self.hubspot_defined { DEFAULT_CREATED } else { clock::created(self.display_order as u64) };
        json!({
            "id": self.id,
            "label": self.label,
            "displayOrder": self.display_order,
            "archived": false,
            "createdAt": clock::instant(created),
            "updatedAt": clock::instant(created),
        })
    }

    /// The stages, in order.
    pub(crate) fn stage_listings(&self) -> impl Iterator<Item = Value> {
        let created = if self.hubspot_defined { DEFAULT_CREATED } else { clock::created(self.display_order as u64) };
        self.stages.iter().enumerate().map(move |(order, stage)| {
            let metadata: Map<String, Value> =
                stage.metadata.iter().map(|&(key, value)| (key.to_owned(), Value::from(value))).collect();
            json!({
                "id": stage.id,
                "label": stage.label,
                "displayOrder": order,
                "metadata": metadata,
                "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
                "archived": false,
                "createdAt": clock::instant(created),
                "updatedAt": clock::instant(created),
            })
        })
    }
}

/// The pipelines of the type with this id; none for most types.
pub(super) fn of(type_id: &str) -> Vec<Pipeline> {
    let pipelines = match type_id {
        "0-3" => vec![sales(), renewals()],
        "0-5" => vec![support(), records_requests()],
        "0-136" => vec![leads()],
        "0-123" => vec![orders()],
        "0-162" => vec![plain("services-default", "Service Pipeline")],
        "0-410" => vec![plain("courses-default", "Course Pipeline")],
        "0-420" => vec![plain("listings-default", "Listing Pipeline")],
        "0-421" => vec![plain("appointments-default", "Appointment Pipeline")],
        "2-13370001" => vec![fleet()],
        _ => Vec::new(),
    };
    pipelines.into_iter().enumerate().map(|(display_order, pipeline)| Pipeline { display_order, ..pipeline }).collect()
}

fn pipeline(id: &str, label: &'static str, hubspot_defined: bool, stages: Vec<Stage>) -> Pipeline {
    Pipeline { id: id.to_owned(), label, stages, hubspot_defined, display_order: 0 }
}

fn deal_stage(id: &str, label: &'static str, probability: &'static str, closed: bool) -> Stage {
    let closed = if closed { "true" } else { "false" };
    Stage { id: id.to_owned(), label, metadata: vec![("isClosed", closed), ("probability", probability)] }
}

fn ticket_stage(id: &str, label: &'static str, state: &'static str) -> Stage {
    let closed = if state == "CLOSED" { "true" } else { "false" };
    Stage { id: id.to_owned(), label, metadata: vec![("ticketState", state), ("isClosed", closed)] }
}

fn plain_stage(id: &str, label: &'static str) -> Stage {
    Stage { id: id.to_owned(), label, metadata: Vec::new() }
}

fn sales() -> Pipeline {
    pipeline(
        "default",
        "Sales Pipeline",
        true,
        vec![
            deal_stage("appointmentscheduled", "Appointment Scheduled", "0.2", false),
            deal_stage("qualifiedtobuy", "Qualified To Buy", "0.4", false),
            deal_stage("decisionmakerboughtin", "Decision Maker Bought-In", "0.8", false),
            deal_stage("contractsent", "Contract Sent", "0.9", false),
            deal_stage("closedwon", "Closed Won", "1.0", true),
            deal_stage("closedlost", "Closed Lost", "0.0", true),
        ],
    )
}

fn renewals() -> Pipeline {
    pipeline(
        "75261044",
        "Renewals (EU)",
        false,
        vec![
            deal_stage("143920011", "Due", "0.5", false),
            deal_stage("143920012", "In talks", "0.7", false),
            deal_stage("143920013", "Renewed", "1.0", true),
            deal_stage("143920014", "Churned", "0.0", true),
        ],
    )
}

fn support() -> Pipeline {
    pipeline(
        "0",
        "Support Pipeline",
        true,
        vec![
            ticket_stage("1", "New", "OPEN"),
            ticket_stage("2", "Waiting on contact", "OPEN"),
            ticket_stage("3", "Waiting on us", "OPEN"),
            ticket_stage("4", "Closed", "CLOSED"),
        ],
    )
}

fn records_requests() -> Pipeline {
    pipeline(
        "88120931",
        "Requests for records",
        false,
        vec![
            ticket_stage("201114001", "Received", "OPEN"),
            ticket_stage("201114002", "Identity checked", "OPEN"),
            ticket_stage("201114003", "Answered", "CLOSED"),
        ],
    )
}

fn leads() -> Pipeline {
    pipeline(
        "lead-pipeline-id",
        "Lead Pipeline",
        true,
        vec![
            plain_stage("new-stage-id", "New"),
            plain_stage("attempting-stage-id", "Attempting"),
            plain_stage("connected-stage-id", "Connected"),
            plain_stage("qualified-stage-id", "Qualified"),
            plain_stage("unqualified-stage-id", "Disqualified"),
        ],
    )
}

fn orders() -> Pipeline {
    pipeline(
        "a1b0c2d4-0001-4000-8000-0000000000f1",
        "Order Pipeline",
        true,
        vec![
            plain_stage("a1b0c2d4-0001-4000-8000-000000000001", "Open"),
            plain_stage("a1b0c2d4-0001-4000-8000-000000000002", "Processed"),
            plain_stage("a1b0c2d4-0001-4000-8000-000000000003", "Shipped"),
        ],
    )
}

fn fleet() -> Pipeline {
    pipeline(
        "91400200",
        "Fleet",
        false,
        vec![
            plain_stage("301500001", "In service"),
            plain_stage("301500002", "In the workshop"),
            plain_stage("301500003", "Sold"),
        ],
    )
}

/// For types of which the portal uses little.
fn plain(id: &str, label: &'static str) -> Pipeline {
    pipeline(
        id,
        label,
        true,
        vec![plain_stage(&format!("{id}-open"), "Open"), plain_stage(&format!("{id}-done"), "Done")],
    )
}
