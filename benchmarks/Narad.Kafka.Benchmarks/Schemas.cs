using System.Text.Json.Nodes;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Benchmarks;

/// <summary>The row of messages with a schema: no client and no broker, and a registry that is asked only once.</summary>
internal static class Schemas
{
    private const string Topic = "schemas";

    public static async Task<RowResult> WriteAndReadAsync(BenchmarkArguments arguments)
    {
        var schema = new JsonObject { ["subject"] = $"{Topic}-value", ["id"] = 1, ["version"] = 1, ["schemaType"] = "JSON",
            ["schema"] = KafkaSchemaRegistry.SchemaOf(typeof(UserEvent)) };
        await using var endpoint = LoopbackEndpoint.Json(schema.ToJsonString());
        using var quick = Create(endpoint.Address, validate: false);
        using var thorough = Create(endpoint.Address, validate: true);
        var json = new JsonMessageSerializer();
        var row = new Row(
            "schema",
            "one message of typed JSON written and read, its schema known",
            "ns/msg",
            [
                new("with a schema, validation off", () => RunAsync(quick, quick, arguments.Messages)),
                new("plain JSON", () => RunAsync(json, json, arguments.Messages)),
                new("with a schema, validated when written and read", () => RunAsync(thorough, thorough, arguments.Messages)),
            ],
            [Target.Ratio("of plain JSON", 1.2, against: 1, atMost: true)]);
        return await row.MeasureAsync(arguments.Rounds);
    }

    private static KafkaSchemaRegistry Create(Uri address, bool validate)
    {
        var registry = new KafkaSchemaRegistry(
            new SchemaRegistryOptions { Url = address.ToString(), Validate = validate,
            Registration = SchemaRegistration.UseLatestVersion }).WithSchema<UserEvent>();
        new KafkaOptions().UseSchemaRegistry(registry);
        return registry;
    }

    private static async Task<Sample> RunAsync(IMessageSerializer serializer, IMessageDeserializer deserializer, int messages)
    {
        var context = new MessageContext { Topic = Topic };
        var read = 0L;
        var stretch = Sample.Start();
        for (var i = 0; i < messages; i++)
        {
            var bytes = await serializer.SerializeAsync(UserEvent.Samples[i % UserEvent.Keys], typeof(UserEvent), Topic, [], CancellationToken.None);
            read += ((UserEvent)(await deserializer.DeserializeAsync(bytes, typeof(UserEvent), context, CancellationToken.None))!).Sequence + 1;
        }

        var sample = stretch.PerSecond(messages);
        return read > messages ? sample with { Value = 1e9 / sample.Value }
            : throw new InvalidOperationException("Messages were not read as they were written.");
    }
}
