using System.Text.Json.Serialization;

namespace Orders.Events;

/// <summary>How far an order is.</summary>
/// <remarks>
/// <code>
/// AwaitingPayment ──► AwaitingStock ──► AwaitingShipping ──► Shipped
///        │                  │               │                   ▲
///        └──────────────────┴───────┬───────┘                   │ the parcel had left
///                                   ▼                           │
///                             Compensating ─────────────────────┘
///                                   │
///                                   ▼
///                               Cancelled
/// </code>
/// </remarks>
[JsonConverter(typeof(JsonStringEnumConverter<OrderState>))]
public enum OrderState
{
    AwaitingPayment,
    AwaitingStock,
    AwaitingShipping,
    Shipped,

    /// <summary>What was done is undone, the last step first.</summary>
    Compensating,
    Cancelled,
}

/// <summary>What a participant has to do next for an order.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<OrderStep>))]
public enum OrderStep
{
    /// <summary>Nothing: the order has ended.</summary>
    None,
    Payment,
    Stock,
    Shipping,
    CancelShipping,
    ReleaseStock,
    RefundPayment,
}

/// <summary>What is known of one participant's part.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PartState>))]
public enum PartState
{
    NotAsked,

    /// <summary>Asked, and not answered yet: it may be done or not.</summary>
    Asked,
    Done,

    /// <summary>Refused: there is nothing to undo.</summary>
    Failed,
    Undone,
}
