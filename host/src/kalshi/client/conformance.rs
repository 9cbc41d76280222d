//! Our types against Kalshi's: `fixtures/answers.jsonl` has, for each schema of its OpenAPI that we
//! use, an object with every field, the fields that are required, and the values of its
//! enumerations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hotpit_units::{Price, Quantity, Side, Timestamp};
use serde::Deserialize;
use serde::de::value::Error;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde_json::{Map, Value};

use super::tests::{Fake, client};
use super::venue::tests::{cancel, place};
use super::{
    AmendRequest, Amended, Decrease, Decreased, Expiry, GroupState, OrderGroup, QueuePosition,
    account, groups, orders, portfolio, schedule,
};
use crate::desk::venue::{PlaceRequest, Venue};
use crate::feeds::kalshi::wire::fields;
use crate::kalshi::wire::account::{
    AccountLimits, Balance, EndpointCosts, ExchangeStatus, Position,
};
use crate::kalshi::wire::market::{
    Event, Market, Milestone, Orderbook, Series, StructuredTarget, Trade,
};
use crate::kalshi::wire::order::{BatchAnswer, Fill, Order, OrderCanceled, OrderCreated};
use crate::model::TimeInForce;

#[derive(Deserialize)]
struct Schema {
    schema: String,
    required: BTreeSet<String>,
    enums: BTreeMap<String, BTreeSet<String>>,
    full: Map<String, Value>,
}

fn schemas() -> BTreeMap<String, Schema> {
    let lines = include_str!("../fixtures/answers.jsonl").lines();
    let schemas = lines.map(|line| serde_json::from_str::<Schema>(line).unwrap());
    schemas.map(|schema| (schema.schema.clone(), schema)).collect()
}

/// Takes note of the fields that a type reads, and reads nothing.
struct Fields<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("it is no struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(serde::de::Error::custom("its fields are known"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &[&str] = &[];
    let read = T::deserialize(Fields(&mut fields));
    assert!(read.is_err() && !fields.is_empty());
    fields
}

/// Each field that `T` reads is one of the schema's (or of `others`), and `T` reads an object with
/// all fields, one with the required ones alone, and one for each value of each enumeration.
fn check<T: DeserializeOwned>(schema: &Schema, others: &[&str]) {
    let name = &schema.schema;
    for field in fields_of::<T>() {
        let is_known = schema.full.contains_key(*field) || others.contains(field);
        assert!(is_known, "{name} has no field {field}");
    }
    let mut least = schema.full.clone();
    least.retain(|field, _| schema.required.contains(field));
    // Where nothing is required the schema says too little: nothing at all is no answer.
    let least = (!least.is_empty()).then_some(least);
    let with = |field: &String, value: &String| {
        let mut object = schema.full.clone();
        object.insert(field.clone(), Value::from(value.as_str()));
        object
    };
    let each = schema
        .enums
        .iter()
        .flat_map(|(field, all)| all.iter().map(move |value| with(field, value)));
    for object in std::iter::once(schema.full.clone()).chain(least).chain(each) {
        let text = Value::Object(object).to_string();
        if let Err(error) = serde_json::from_str::<T>(&text) {
            panic!("{name} is not read: {error}: {text}");
        }
    }
}

#[test]
fn what_we_read_is_what_the_exchange_answers() {
    let all = schemas();
    let of = |name: &str| all.get(name).unwrap_or_else(|| panic!("no schema {name}"));
    // The same types read the WebSocket's frames, which have more.
    check::<Order>(of("Order"), fields::known("user_order").unwrap());
    check::<Fill>(of("Fill"), fields::known("fill").unwrap());
    check::<OrderCreated>(of("CreateOrderV2Response"), &[]);
    check::<OrderCanceled>(of("CancelOrderV2Response"), &[]);
    check::<Amended>(of("AmendOrderV2Response"), &[]);
    check::<Decreased>(of("DecreaseOrderV2Response"), &[]);
    for batch in ["BatchCreateOrdersV2Response", "BatchCancelOrdersV2Response"] {
        check::<orders::Batched>(of(batch), &[]);
        let item = of(batch).full["orders"][0].as_object().unwrap();
        let known = |field: &&'static str| {
            let both = ["error", "fill_count", "remaining_count", "reduced_by"];
            item.contains_key(*field) || both.contains(field)
        };
        assert!(fields_of::<BatchAnswer>().iter().all(known), "{batch}");
    }
    check::<Position>(of("MarketPosition"), &[]);
    check::<Balance>(of("GetBalanceResponse"), &[]);
    check::<portfolio::WireSettlement>(of("Settlement"), &[]);
    check::<portfolio::AsOf>(of("GetUserDataTimestampResponse"), &[]);
    check::<OrderGroup>(of("OrderGroup"), &[]);
    check::<GroupState>(of("GetOrderGroupResponse"), &[]);
    check::<groups::GroupCreated>(of("CreateOrderGroupResponse"), &[]);
    check::<QueuePosition>(of("OrderQueuePosition"), &[]);
    check::<account::QueueAnswer>(of("GetOrderQueuePositionResponse"), &[]);
    check::<Market>(of("Market"), &[]);
    check::<Event>(of("EventData"), &[]);
    check::<Series>(of("Series"), &[]);
    check::<Milestone>(of("Milestone"), &[]);
    check::<Trade>(of("Trade"), &[]);
    check::<Orderbook>(of("OrderbookCountFp"), &[]);
    check::<StructuredTarget>(of("StructuredTarget"), &[]);
    check::<ExchangeStatus>(of("ExchangeStatus"), &[]);
    check::<schedule::Schedule>(of("Schedule"), &[]);
    check::<schedule::WeeklySchedule>(of("WeeklySchedule"), &[]);
    check::<schedule::MaintenanceWindow>(of("MaintenanceWindow"), &[]);
    check::<AccountLimits>(of("GetAccountApiLimitsResponse"), &[]);
    check::<EndpointCosts>(of("GetAccountEndpointCostsResponse"), &[]);
}

/// Each field of a body is one of the schema's, with a value of its kind, and none that is
/// required is missing.
fn check_body(schema: &Schema, body: &Map<String, Value>) {
    let name = &schema.schema;
    for (field, value) in body {
        let example = schema.full.get(field);
        let example = example.unwrap_or_else(|| panic!("{name} has no field {field}"));
        assert_eq!(
            std::mem::discriminant(value),
            std::mem::discriminant(example),
            "{name}: {field} is {value}"
        );
        if let Some(values) = schema.enums.get(field) {
            assert!(values.contains(value.as_str().unwrap()), "{name}: {field} is {value}");
        }
    }
    let missing: Vec<_> = schema.required.iter().filter(|it| !body.contains_key(*it)).collect();
    assert_eq!(missing, Vec::<&String>::new(), "{name}");
}

fn orders() -> Vec<PlaceRequest> {
    let order = |time_in_force, side, post_only, expires| PlaceRequest {
        time_in_force,
        side,
        post_only,
        expires,
        cancel_on_pause: false,
        order_group_id: Some("g".into()),
        ..place()
    };
    vec![
        order(TimeInForce::GoodTillCanceled, Side::Bid, true, Some(Timestamp::from_secs(9))),
        order(TimeInForce::ImmediateOrCancel, Side::Ask, false, None),
        order(TimeInForce::FillOrKill, Side::Bid, false, None),
    ]
}

#[tokio::test]
async fn what_we_send_is_what_the_exchange_reads() {
    let api = Arc::new(Fake::default());
    let client = client(&api);
    let all = schemas();
    let amend = AmendRequest {
        venue_order_id: "o1".into(),
        ticker: "M".into(),
        exchange_index: 0,
        side: Side::Ask,
        price: Price::from_cents(40),
        quantity: Quantity::from_contracts(7),
        rename: Some("hp-2".into()),
        expiry: Expiry::At(Timestamp::from_secs(9)),
    };
    let limit = Quantity::from_contracts(5);
    let group = OrderGroup { id: "g".into(), limit: None, exchange_index: 0 };
    // What comes back is no matter: nothing is known there.
    for order in orders() {
        client.place(order).await;
    }
    client.amend(&amend).await;
    client.decrease(&cancel(), Decrease::By(limit)).await;
    client.decrease(&cancel(), Decrease::To(limit)).await;
    client.create_order_group(limit, 0).await;
    client.limit_order_group(&group, limit).await;
    let single = [
        "CreateOrderV2Request",
        "CreateOrderV2Request",
        "CreateOrderV2Request",
        "AmendOrderV2Request",
        "DecreaseOrderV2Request",
        "DecreaseOrderV2Request",
        "CreateOrderGroupRequest",
        "UpdateOrderGroupLimitRequest",
    ];
    let sent = api.sent();
    assert_eq!(sent.len(), single.len(), "{:?}", api.calls());
    let body = |number: usize| -> Map<String, Value> {
        serde_json::from_slice(api.sent()[number].body.as_deref().unwrap()).unwrap()
    };
    for (number, name) in single.into_iter().enumerate() {
        check_body(&all[name], &body(number));
    }
}

#[tokio::test]
async fn what_we_send_in_batches_is_what_the_exchange_reads() {
    let api = Arc::new(Fake::default());
    let client = client(&api);
    let all = schemas();
    client.place_batch(&orders()).await;
    client.cancel_batch(&[cancel(), cancel()]).await;
    let sent = api.sent();
    for (request, name, count) in
        [(&sent[0], "BatchCreateOrdersV2Request", 3), (&sent[1], "BatchCancelOrdersV2Request", 2)]
    {
        let body: Map<String, Value> =
            serde_json::from_slice(request.body.as_deref().unwrap()).unwrap();
        check_body(&all[name], &body);
        let items = body["orders"].as_array().unwrap();
        assert_eq!(items.len(), count);
        let known = all[name].full["orders"][0].as_object().unwrap();
        for item in items {
            assert!(item.as_object().unwrap().keys().all(|it| known.contains_key(it)), "{item}");
        }
    }
}
