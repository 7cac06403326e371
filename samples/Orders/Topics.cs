using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;

namespace Orders;

/// <summary>The topics. The key of every message is the order's id, so that the messages of an order keep their order.</summary>
internal static class Topics
{
    public const string Events = "orders.events";
    public const string Replies = "orders.replies";
    public const string PaymentCommands = "payment.commands";
    public const string StockCommands = "stock.commands";
    public const string ShippingCommands = "shipping.commands";
    public const string Behaviour = "orders.behaviour";

    /// <summary>The topics that have a retry topic and a dead-letter topic.</summary>
    public static readonly IReadOnlyList<string> Handled = [Events, Replies, PaymentCommands, StockCommands, ShippingCommands];

    public const int Partitions = 6;

    /// <summary>Declares the topics in every role: whichever starts first creates them.</summary>
    public static NaradKafkaBuilder AddOrderTopics(this NaradKafkaBuilder kafka)
    {
        foreach (var topic in Handled)
        {
            kafka.AddTopic(topic, Partitions, retention: topic is Events ? Timeout.InfiniteTimeSpan : TimeSpan.FromDays(7));
            kafka.AddTopic($"{topic}-retry", Partitions, retention: TimeSpan.FromDays(7));
            kafka.AddTopic($"{topic}-dlt", Partitions, retention: Timeout.InfiniteTimeSpan);
        }

        return kafka.AddTopic(Behaviour, partitions: 1, cleanupPolicy: TopicCleanupPolicy.Compact);
    }
}
