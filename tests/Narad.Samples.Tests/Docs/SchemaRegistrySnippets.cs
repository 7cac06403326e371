using Avro.Generic;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Narad.Kafka;

namespace Narad.Samples.Tests.Docs;

/// <summary>The code of docs/schema-registry.md.</summary>
public static class SchemaRegistrySnippets
{
    public static void InAHost(HostApplicationBuilder builder)
    {
        // snippet: schema-registry
        builder.Services.AddNaradKafka()
            .AddSubscription<OrderPlaced, BillOrder>("orders", group: "billing", o => o.DeadLetter.Enabled = true)
            .AddSchemaRegistry("https://registry.example.com")   // or AddSchemaRegistry(): section Kafka:SchemaRegistry
            .WithSchema<OrderPlaced>("orders")                   // subject orders-value; looked up before the host connects
            .CheckCompatibility();
        // end
    }

    public static async Task WithoutAHost()
    {
        // snippet: schema-registry-without-a-host
        using var registry = new KafkaSchemaRegistry(new SchemaRegistryOptions { Url = "https://registry.example.com" }).WithSchema<OrderPlaced>("orders");
        var options = KafkaOptions.FromEnvironment().UseSchemaRegistry(registry);
        await registry.StartAsync();   // looks up the schemas
        await using var kafka = new KafkaService(options);
        // end
    }

    public static async Task Keys(KafkaSchemaRegistry registry, IKafkaProducer kafka)
    {
        // snippet: schema-registry-keys
        var key = await registry.SerializeKeyAsync("orders", new OrderKey("DE", 17));   // WithKeySchema<OrderKey>("orders"): subject orders-key
        await kafka.SendAsync("orders", new OrderPlaced("17"), key);
        // end
    }

    public static void Avro(HostApplicationBuilder builder)
    {
        // snippet: schema-registry-avro
        builder.Services.AddNaradKafka()
            .AddSchemaRegistry("https://registry.example.com")
            .WithSerdes<GenericRecord>(
                registry => new AvroSerializer<GenericRecord>(registry, new AvroSerializerConfig
                {
                    AutoRegisterSchemas = false,   // by default it registers, and with UseLatestVersion it throws unless this is false
                    UseLatestVersion = true,
                    SubjectNameStrategy = SubjectNameStrategy.Topic,
                }),
                registry => new AvroDeserializer<GenericRecord>(registry));
        // end
    }

    public static void Confluent(HostApplicationBuilder builder)
    {
        // snippet: schema-registry-confluent
        builder.Services.AddNaradKafka()
            .AddSchemaRegistry("https://registry.example.com")
            .WithSchema<OrderPlaced>("orders", configure: schema => schema.UseConfluentSerializer(
                deserializer: new JsonDeserializerConfig { UseLatestVersion = true }));   // migrates messages of older versions
        // end
    }

    public static async Task OneSubscription(IKafkaService kafka, Func<OrderPlaced, MessageContext, CancellationToken, Task> handler)
    {
        // snippet: schema-registry-one-subscription
        var registry = new KafkaSchemaRegistry(new SchemaRegistryOptions { Url = "https://registry.example.com" }).WithSchema<OrderPlaced>();
        await kafka.SubscribeAsync("orders", handler, "billing", o => o.Deserializer = registry);
        // end
    }

    private sealed record OrderKey(string Country, int Number);
}
