//! The simulated HubSpot, asked over HTTP as any client would.

mod associations; // Batch read and its pages, labels, limits, what is refused.
mod auth; // Tokens, scopes, and what each refusal looks like.
mod client; // What the tests ask with.
mod definitions; // Properties, schemas, pipelines, owners, the account.
mod events; // Types, definitions, occurrences, and what is refused.
mod faults; // What goes wrong on request, and the log of requests.
mod history; // Versions of values, their cap, and what is refused.
mod limits; // Rate limits, their headers, the daily limit, the URL's length.
mod lists; // Search, members by id and by time, the lists of records.
mod objects; // List, one record, batch read.
mod people; // Users and teams.
mod search; // Filters, sorts, paging, and what search refuses.
mod versions; // The numbered and the dated family answer alike.
