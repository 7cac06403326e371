using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>Developing without a registry, and without a broker.</summary>
public sealed class DevelopmentTests
{
    [Fact]
    public async Task With_neither_a_broker_nor_a_registry_mode_Auto_logs_messages_as_plain_JSON()
    {
        using var host = Create("Development", """
            { "Kafka": { "Brokers": "127.0.0.1:1", "ConnectTimeout": "00:00:01", "SchemaRegistry": { "Url": "http://127.0.0.1:1" } } }
            """);
        await host.StartAsync();
        var kafka = host.Services.GetRequiredService<IKafkaService>();

        kafka.Mode.Should().Be(KafkaMode.Console);
        (await kafka.SendAsync("orders", new Order("1", 2))).Offset.Should().Be(-1);
        await host.StopAsync();
    }

    [Fact]
    public async Task With_a_broker_but_without_the_registry_mode_Auto_does_not_start()
    {
        await using var broker = new Narad.Kafka.Testing.EmbeddedKafka();
        var topic = broker.CreateTopic(partitions: 1);
        using var host = Create("Development", $$"""
            { "Kafka": { "Brokers": "{{broker.BootstrapServers}}", "ConnectTimeout": "00:01:00", "SchemaRegistry": { "Url": "http://127.0.0.1:1" } } }
            """, topic);

        var start = () => host.StartAsync();

        (await start.Should().ThrowAsync<SerializationUnavailableException>()).WithMessage("*could not be reached*");
        await host.StopAsync();
    }

    [Theory]
    [InlineData("Development", "Auto", true)]
    [InlineData("Production", "Embedded", true)]
    [InlineData("Production", "Auto", false)]
    [InlineData("Staging", "Kafka", false)]
    public void The_registry_in_memory_is_for_development_only(string environment, string mode, bool isAllowed)
    {
        using var registry = new KafkaSchemaRegistry(new SchemaRegistryOptions { Url = "memory:" });
        var use = () => new KafkaOptions { Environment = environment, Mode = Enum.Parse<KafkaMode>(mode) }.UseSchemaRegistry(registry);

        if (isAllowed)
        {
            use.Should().NotThrow();
        }
        else
        {
            use.Should().Throw<KafkaConfigurationException>().WithMessage("*Url is memory:, a registry that ends with this process*");
        }
    }

    [Fact]
    public async Task The_registry_in_memory_registers_validates_and_reads_with_both_serializers()
    {
        await using var broker = new Narad.Kafka.Testing.EmbeddedKafka();
        var topic = broker.CreateTopic(partitions: 1);
        var received = new System.Collections.Concurrent.ConcurrentQueue<string>();
        foreach (var usesConfluent in (bool[])[false, true])
        {
            using var registry = new KafkaSchemaRegistry(new SchemaRegistryOptions { Url = "memory:" })
                .WithSchema<Order>(topic, configure: schema => _ = usesConfluent ? schema.UseConfluentSerializer() : schema);
            var options = new KafkaOptions { Environment = "Development" };
            broker.Apply(options);
            await RunAsync(options.UseSchemaRegistry(registry), registry, usesConfluent ? "confluent" : "default");
        }

        received.Should().Equal("default", "confluent");

        async Task RunAsync(KafkaOptions options, KafkaSchemaRegistry registry, string id)
        {
            await registry.StartAsync();
            await using var kafka = new KafkaService(options);
            await kafka.Init().ConnectProducerAsync();
            var sent = await kafka.SendAsync(topic, new Order(id, 2), "k");
            await kafka.ConnectConsumerAsync($"billing-{id}");
            await kafka.SubscribeAsync<Order>(
                topic,
                (order, context, _) =>
                {
                    if (context.Offset == sent.Offset)
                    {
                        received.Enqueue(order.Id);
                    }

                    return Task.CompletedTask;
                },
                $"billing-{id}");
            await RegistryHost.Until(() => received.Contains(id), "it arrives");
        }
    }

    private static IHost Create(string environment, string json, string topic = "orders")
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = environment });
        builder.Configuration.AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json)));
        builder.Services.AddNaradKafka().AddSchemaRegistry().WithSchema<Order>(topic);
        return builder.Build();
    }
}
