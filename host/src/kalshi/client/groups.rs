//! Order groups: the exchange cancels the orders of a group, and takes no others, once more
//! contracts of it were matched within 15 seconds than its limit. Groups do not span shards.

use hotpit_units::Quantity;
use serde::{Deserialize, Serialize};

use super::query::encoded;
use super::written::{Write, Written};
use super::{CallError, Client, Query};
use crate::kalshi::http::{Method, Transport};
use crate::kalshi::limits::Bill;
use crate::kalshi::wire::or_default;

/// Where groups are.
const GROUPS: &str = "/portfolio/order_groups";

/// An order group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OrderGroup {
    /// The exchange's name for it.
    pub id: String,
    /// How many contracts may be matched within 15 seconds.
    #[serde(default, rename = "contracts_limit_fp")]
    pub limit: Option<Quantity>,
    /// The shard.
    #[serde(default)]
    pub exchange_index: i32,
}

impl OrderGroup {
    const fn change(&self) -> Bill {
        Bill::Order { shard: self.exchange_index, count: 1 }
    }

    const fn stop(&self) -> Bill {
        Bill::Stop { shard: self.exchange_index }
    }
}

/// What is in a group. Kalshi, `GetOrderGroupResponse`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GroupState {
    /// How many contracts may be matched within 15 seconds.
    #[serde(default, rename = "contracts_limit_fp")]
    pub limit: Option<Quantity>,
    /// The exchange's names for its orders.
    #[serde(deserialize_with = "or_default")]
    pub orders: Vec<String>,
}

#[derive(Deserialize)]
struct GroupsAnswer {
    #[serde(default, deserialize_with = "or_default")]
    order_groups: Vec<OrderGroup>,
}

#[derive(Deserialize)]
pub(super) struct GroupCreated {
    order_group_id: String,
}

#[derive(Deserialize)]
struct Empty {}

#[derive(Serialize)]
struct CreateGroup {
    contracts_limit_fp: Quantity,
    subaccount: u8,
    exchange_index: i32,
}

#[derive(Serialize)]
struct GroupLimit {
    contracts_limit_fp: Quantity,
}

impl<T: Transport> Client<T> {
    /// `GET /portfolio/order_groups`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn order_groups(&self) -> Result<Vec<OrderGroup>, CallError> {
        Ok(self.get::<GroupsAnswer>(GROUPS, &self.ours()).await?.order_groups)
    }

    /// `GET /portfolio/order_groups/{id}`.
    ///
    /// # Errors
    /// When there is no such group, or it cannot be read.
    pub async fn order_group(&self, id: &str) -> Result<GroupState, CallError> {
        self.get(&format!("{GROUPS}/{}", encoded(id)), &self.ours()).await
    }

    /// `POST /portfolio/order_groups/create`; its name.
    pub async fn create_order_group(&self, limit: Quantity, shard: i32) -> Written<String> {
        let body = CreateGroup {
            contracts_limit_fp: limit,
            subaccount: self.settings.subaccount,
            exchange_index: shard,
        };
        let write = Write {
            method: Method::Post,
            path: &format!("{GROUPS}/create"),
            query: Query::new(),
            body: Some(&body),
            bill: Bill::Order { shard, count: 1 },
        };
        self.write(write).await.map(|created: GroupCreated| created.order_group_id)
    }

    /// `PUT /portfolio/order_groups/{id}/limit`, the one change that takes no subaccount.
    pub async fn limit_order_group(&self, group: &OrderGroup, limit: Quantity) -> Written<()> {
        let body = GroupLimit { contracts_limit_fp: limit };
        let (what, query) = ((Method::Put, "/limit"), Query::new());
        self.change(group, what, query, Some(&body), group.change()).await
    }

    /// `PUT /portfolio/order_groups/{id}/reset`: what was matched is forgotten, and orders are
    /// taken again.
    pub async fn reset_order_group(&self, group: &OrderGroup) -> Written<()> {
        self.change(group, (Method::Put, "/reset"), self.ours(), Some(&()), group.change()).await
    }

    /// `PUT /portfolio/order_groups/{id}/trigger`: its orders are canceled, and no others taken
    /// until it is reset.
    pub async fn trigger_order_group(&self, group: &OrderGroup) -> Written<()> {
        self.change(group, (Method::Put, "/trigger"), self.ours(), Some(&()), group.stop()).await
    }

    /// `DELETE /portfolio/order_groups/{id}`: its orders are canceled.
    pub async fn delete_order_group(&self, group: &OrderGroup) -> Written<()> {
        self.change(group, (Method::Delete, ""), self.ours(), None::<&()>, group.stop()).await
    }

    async fn change<B: Serialize + Sync>(
        &self,
        group: &OrderGroup,
        (method, tail): (Method, &str),
        query: Query,
        body: Option<&B>,
        bill: Bill,
    ) -> Written<()> {
        let write = Write {
            method,
            path: &format!("{GROUPS}/{}{tail}", encoded(&group.id)),
            query: query.with("exchange_index", group.exchange_index),
            body,
            bill,
        };
        self.write(write).await.map(|Empty {}| ())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kalshi::client::tests::{Fake, client, status};

    #[tokio::test]
    async fn every_call_names_the_group_and_its_shard() {
        let api = Arc::new(Fake::default());
        let client = client(&api);
        api.json(
            "POST /portfolio/order_groups/create",
            r#"{"order_group_id":"g1","subaccount":0}"#,
        );
        let listed = r#"{"order_groups":[{"id":"g1","contracts_limit_fp":"150.00",
            "is_auto_cancel_enabled":true,"exchange_index":3}]}"#;
        api.json("GET /portfolio/order_groups", listed);
        for call in ["PUT /portfolio/order_groups/g1/limit", "PUT /portfolio/order_groups/g1/reset"]
        {
            api.json(call, "{}");
        }
        api.on("PUT /portfolio/order_groups/g1/trigger", status(503, "upstream"));
        let limit = Quantity::from_contracts(150);
        let created = client.create_order_group(limit, 3).await;
        assert_eq!(created, Written::Done("g1".to_owned()));
        let group = client.order_groups().await.unwrap().remove(0);
        assert_eq!(group.limit, Some(limit));
        assert_eq!(client.limit_order_group(&group, limit).await, Written::Done(()));
        assert_eq!(client.reset_order_group(&group).await, Written::Done(()));
        let triggered = client.trigger_order_group(&group).await;
        assert!(matches!(triggered, Written::Unknown { .. }), "{triggered:?}");
        let deleted = client.delete_order_group(&group).await;
        assert!(matches!(deleted, Written::Refused { status: 404, .. }), "{deleted:?}");
        let of_the_group = |call: &&String| call.contains("/g1");
        let calls = api.calls();
        assert_eq!(calls.iter().filter(of_the_group).count(), 4);
        assert!(calls.iter().filter(of_the_group).all(|call| call.ends_with("exchange_index=3")));
        let body = api.sent()[0].body.clone().unwrap();
        let text = String::from_utf8(body).unwrap();
        assert_eq!(text, r#"{"contracts_limit_fp":"150.00","subaccount":0,"exchange_index":3}"#);
        let with_number = |call: &&String| call.contains("?subaccount=0&");
        assert_eq!(calls.iter().filter(of_the_group).filter(with_number).count(), 3);
    }

    #[tokio::test]
    async fn a_group_is_read_with_its_orders() {
        let api = Arc::new(Fake::default());
        let state = r#"{"is_auto_cancel_enabled":true,"contracts_limit_fp":"150.00",
            "orders":["o1","o2"],"exchange_index":3}"#;
        api.json("GET /portfolio/order_groups/g1", state);
        let group = client(&api).order_group("g1").await.unwrap();
        assert_eq!(group.limit, Some(Quantity::from_contracts(150)));
        assert_eq!(group.orders, ["o1", "o2"]);
    }

    #[tokio::test]
    async fn an_error_under_a_success_is_no_success() {
        let api = Arc::new(Fake::default());
        let client = client(&api);
        let group = OrderGroup { id: "g1".into(), limit: None, exchange_index: 0 };
        let call = "PUT /portfolio/order_groups/g1/trigger";
        api.json(call, r#"{"error":{"code":"not_found","message":"m"}}"#);
        api.json(call, r#"{"error":"try later"}"#);
        let triggered = client.trigger_order_group(&group).await;
        assert!(matches!(triggered, Written::Refused { status: 200, .. }), "{triggered:?}");
        let triggered = client.trigger_order_group(&group).await;
        assert!(matches!(triggered, Written::Unknown { .. }), "{triggered:?}");
    }

    #[tokio::test]
    async fn a_group_is_stopped_with_what_is_kept_for_cancels() {
        let api = Arc::new(Fake::default());
        api.json("PUT /portfolio/order_groups/g1/trigger", "{}");
        let client = client(&api);
        let group = OrderGroup { id: "g1".into(), limit: None, exchange_index: 0 };
        let now = client.clock.now();
        while client.limits().take(Bill::Order { shard: 0, count: 1 }, now).is_ok() {}
        assert_eq!(client.trigger_order_group(&group).await, Written::Done(()));
    }
}
