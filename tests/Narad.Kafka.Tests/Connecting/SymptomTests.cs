using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Connecting;

/// <summary>What people see and look up: each row of the symptoms in docs/troubleshooting.md, brought about, says what the row says.</summary>
public sealed class SymptomTests : IDisposable
{
    private static readonly Dictionary<string, Func<SymptomTests, Task<string>>> Symptoms = new(StringComparer.Ordinal)
    {
        ["connection timeout"] = test => test.ConnectAsync("a port that accepts and never answers"),
        ["Kafka is not running"] = test => test.ConnectAsync("nobody listens"),
        ["wrong host in the list of brokers"] = test => test.ConnectAsync("a host that nobody knows"),
        ["connects, and then times out (containers, clouds)"] = test => test.ConnectAsync("an advertised address that cannot be reached"),
        ["authentication errors"] = test => test.ConnectAsync("wrong password (plain)"),
        ["authentication errors: the mechanism"] = test => test.ConnectAsync("a mechanism that the listener does not know"),
        ["SSL/TLS: the certificate"] = test => test.ConnectAsync("a private authority, and none given"),
        ["SSL/TLS: not enabled"] = test => test.ConnectAsync("a login without TLS to a TLS port"),
        ["SSL/TLS: enabled for a plain-text port"] = test => test.ConnectAsync("TLS to a plain-text port"),
        ["AWS MSK with aws_msk_iam on port 9092"] = _ => Validate(options =>
        {
            options.Brokers = "b-1.demo.kafka.us-east-1.amazonaws.com:9092";
            options.Sasl.Mechanism = "aws_msk_iam";
            options.Ssl.Enabled = true;
        }),
        ["Event Hubs: the user is empty"] = _ => Validate(options =>
        {
            options.Brokers = "demo.servicebus.windows.net:9093";
            options.Sasl.Password = "Endpoint=sb://demo.servicebus.windows.net/";
            options.Ssl.Enabled = true;
        }),
        ["\"not connected\" when sending"] = async _ =>
        {
            await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Embedded });
            return (await kafka.Awaiting(service => service.SendAsync("orders", "x").AsTask()).Should().ThrowAsync<KafkaNotConnectedException>()).Which.Message;
        },
        ["topic not found, when sending"] = async _ =>
        {
            var options = WrongSetUps.Options(Listeners.Plaintext);   // the embedded broker would create it
            options.ClientProperties["topic.metadata.propagation.max.ms"] = "500";
            await using var kafka = new KafkaService(options);
            await kafka.ConnectProducerAsync();
            return (await kafka.Awaiting(service => service.SendAsync("not-there", "x").AsTask()).Should().ThrowAsync<KafkaSendException>()).Which.Message;
        },
        ["topic not found, when subscribing"] = async test =>
        {
            await using var kafka = test.Embedded();
            await kafka.ConnectConsumerAsync("billing");
            await kafka.SubscribeAsync<string>("not-there", (_, _, _) => Task.CompletedTask);
            return (await HealthReport.OfAsync(kafka)).Description;
        },
        ["messages are not received: a handler failed"] = async test =>
        {
            await using var kafka = test.Embedded();
            test._broker.CreateTopic("orders").Should().BeTrue();
            await kafka.ConnectProducerAsync();
            await kafka.ConnectConsumerAsync("billing");
            var subscription = await kafka.SubscribeAsync<string>("orders", (_, _, _) => throw new InvalidOperationException("the database is away"));
            await kafka.SendAsync("orders", "x");
            await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "stopped");
            return (await HealthReport.OfAsync(kafka)).Description;
        },
        ["messages are neither sent nor received: Console mode"] = async _ =>
        {
            await using var kafka = new KafkaService(new KafkaOptions { Mode = KafkaMode.Console, Environment = "Staging" }, new LogEvents());
            await kafka.ConnectProducerAsync();
            return (await HealthReport.OfAsync(kafka)).Description;
        },
        ["it worked, and no broker is known any more"] = async _ =>
        {
            using var broker = new Transports.FakeBroker();
            await using var kafka = new KafkaService(
                new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = broker.Address, ProbeInterval = TimeSpan.FromMilliseconds(200) });
            await kafka.ConnectProducerAsync();
            broker.Answer = Transports.MetadataAnswer.Nothing;

            // On a busy machine a probe may get no answer in time first.
            HealthReport report = null!;
            async Task<bool> IsNoticed() => (report = await HealthReport.OfAsync(kafka)).Description.Contains("named no broker", StringComparison.Ordinal);
            await Waiting.Until(IsNoticed, "noticed");
            return report.Description;
        },
        ["it worked, and the brokers are gone"] = async test =>
        {
            await using var kafka = test.Embedded();
            await kafka.ConnectProducerAsync();
            test._broker.StopBroker();
            await Waiting.Until(() => !kafka.IsConnected, "noticed");
            return (await HealthReport.OfAsync(kafka)).Description;
        },
    };

    private readonly EmbeddedBroker _broker = EmbeddedBroker.Start();
    private readonly List<IDisposable> _open = [];

    public static TheoryData<string, string> Rows()
    {
        var rows = new TheoryData<string, string>();
        foreach (var row in TroubleshootingPage.Table("symptoms"))
        {
            rows.Add(row[0], row[1]);
        }

        return rows;
    }

    public void Dispose()
    {
        _open.ForEach(static opened => opened.Dispose());
        _broker.Dispose();
    }

    [Fact]
    public void The_pages_rows_are_what_is_tested() => TroubleshootingPage.Table("symptoms").Select(row => row[0]).Should().BeEquivalentTo(Symptoms.Keys);

    [SkippableTheory]
    [MemberData(nameof(Rows))]
    [Long]
    public async Task A_symptom_says_what_the_page_says(string symptom, string words) => (await Symptoms[symptom](this)).Should().Contain(words);

    private static Task<string> Validate(Action<KafkaOptions> configure)
    {
        var options = new KafkaOptions { Mode = KafkaMode.Kafka };
        configure(options);
        return Task.FromResult(new KafkaService(options).Invoking(service => service.Init()).Should().Throw<KafkaConfigurationException>()
            .Which.Message.Replace("`", "", StringComparison.Ordinal));
    }

    private async Task<string> ConnectAsync(string setUp)
    {
        await using var kafka = new KafkaService(WrongSetUps.Connecting[setUp](_open));
        return (await kafka.Awaiting(service => service.ConnectProducerAsync()).Should().ThrowAsync<KafkaConnectionException>()).Which.Message;
    }

    private KafkaService Embedded() =>
        new(new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = _broker.BootstrapServers, ProbeInterval = TimeSpan.FromMilliseconds(200) });
}
