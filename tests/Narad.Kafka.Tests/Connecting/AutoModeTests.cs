using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Service;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Connecting;

/// <summary>Auto in Development becomes Console where no broker is there, and only there: what refuses the settings fails the start.</summary>
public sealed class AutoModeTests : IDisposable
{
    private readonly List<IDisposable> _open = [];

    public static TheoryData<string, bool> SetUps => new()
    {
        { "wrong password (plain)", false },
        { "wrong password (SCRAM)", false },
        { "another authority than the brokers'", false },
        { "no client certificate", false },
        { "TLS to a plain-text port", false },
        { "plain text to a TLS port", false },
        { "an advertised address that cannot be reached", false },
        { "a host that nobody knows", true },
        { "nobody listens", true },
        { "a port that accepts and never answers", true },
    };

    public void Dispose() => _open.ForEach(static opened => opened.Dispose());

    [Fact]
    public async Task A_token_source_that_fails_does_not_become_Console()
    {
        var options = Auto(
            new KafkaOptions { Brokers = ConnectionTests.Nobody(),
                Sasl = { Mechanism = "oauthbearer", TokenProvider = _ => throw new InvalidOperationException("the vault is sealed") } });

        await ExpectRefusalAsync(options, "There is no token to log in with");
    }

    [Fact]
    public async Task A_certificate_that_is_not_accepted_does_not_become_Console()
    {
        var broker = TestListener.Expired(out var authority);
        _open.Add(broker);

        await ExpectRefusalAsync(Auto(new KafkaOptions { Brokers = broker.Address, Ssl = { Enabled = true, Ca = authority } }), "The certificate of");
    }

    [SkippableTheory]
    [MemberData(nameof(SetUps))]
    [Long]
    public async Task A_wrong_set_up_becomes_Console_only_where_no_broker_is_there(string setUp, bool noBroker)
    {
        var options = Auto(WrongSetUps.Connecting[setUp](_open));
        if (!noBroker)
        {
            await ExpectRefusalAsync(options, "Kafka:");
            return;
        }

        await using var kafka = new KafkaService(options, new LogEvents());
        await kafka.ConnectProducerAsync();
        kafka.Mode.Should().Be(KafkaMode.Console);
    }

    [Fact]
    public void Every_refusal_is_an_answer()
    {
        foreach (var kind in Enum.GetValues<ConnectionFaultKind>())
        {
            var fault = new ConnectionFault(kind, "", "", null);
            (fault.IsRefusal && fault.IsNoBroker).Should().BeFalse("{0} is said by a broker", kind);
        }
    }

    private static KafkaOptions Auto(KafkaOptions options)
    {
        options.Mode = KafkaMode.Auto;
        options.Environment = "Development";
        options.ConnectTimeout = TimeSpan.FromSeconds(8);   // a loaded machine takes seconds for a handshake
        return options;
    }

    private static async Task ExpectRefusalAsync(KafkaOptions options, string phrase)
    {
        await using var kafka = new KafkaService(options, new LogEvents());
        (await kafka.Awaiting(service => service.ConnectProducerAsync()).Should().ThrowAsync<KafkaConnectionException>()).Which.Message.Should()
            .Contain(phrase);
        kafka.Mode.Should().Be(KafkaMode.Auto, "it was not decided");
        await kafka.Awaiting(service => service.SendAsync("orders", "x").AsTask()).Should().ThrowAsync<KafkaNotConnectedException>();
    }
}
