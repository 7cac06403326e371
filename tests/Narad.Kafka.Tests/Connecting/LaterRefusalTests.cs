using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Tests.Service;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Connecting;

/// <summary>What worked and is refused later: logged once a kind, seen in health, and over when it is over.</summary>
public sealed class LaterRefusalTests
{
    private const string WrongPassword =
        "sasl_plaintext://127.0.0.1:9092/bootstrap: SASL authentication error: Authentication failed: Invalid username or password (after 312ms in state "
            + "AUTH_REQ)";
    private static readonly ConnectionFacts Plain = new(
        new ClientConfig { BootstrapServers = "127.0.0.1:9092", SecurityProtocol = SecurityProtocol.SaslPlaintext, SaslMechanism = SaslMechanism.Plain });

    [SkippableFact]
    [Trait("Promise", "S31")]
    public async Task A_password_that_is_changed_later_is_logged_once_and_seen_in_health_until_it_is_right_again()
    {
        var user = RealKafka.NewName("user");
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = RealKafka.Brokers }).SetLogHandler((_, _) => { }).Build();
        await SetPasswordAsync(admin, user, "first-secret");
        var log = new LogEvents();
        var options = WrongSetUps.Login(Listeners.Sasl, "scram-sha-256", user, "first-secret");
        options.ConnectTimeout = TimeSpan.FromSeconds(20);
        options.ProbeInterval = TimeSpan.FromMilliseconds(500);
        options.ClientProperties["connections.max.idle.ms"] = "300";   // or the old connections would continue
        await using var kafka = new KafkaService(options, log);
        await kafka.ConnectProducerAsync();

        await SetPasswordAsync(admin, user, "second-secret");
        await Waiting.Until(() => !kafka.IsConnected
            && Health(kafka).Contains("does not take user and password", StringComparison.Ordinal), "the refusal in health");
        Health(kafka).Should().Contain("KAFKA_SASL_PASSWORD").And.NotContain("secret");
        var said = () =>
            log.All.Where(line => line.Id is 1006 or 1015 or 1016 && line.Message.Contains("does not take user and password", StringComparison.Ordinal))
            .ToList();
        await Waiting.Until(() => said().Exists(line => line.Id is not 1016), "the refusal said");
        var attempts = log.All.Count(IsAttempt);
        await Waiting.Until(() => log.All.Count(IsAttempt) >= attempts + 4, "several attempts");
        said().Where(line => line.Id is not 1016).Should().ContainSingle("it is the same all the time").Which.Message.Should().Contain("KAFKA_SASL_PASSWORD");

        await SetPasswordAsync(admin, user, "first-secret");
        await Waiting.Until(() => kafka.IsConnected, "the password is right again");
        log.Count(1007).Should().Be(1);
        log.All.Should().OnlyContain(line => !line.Message.Contains("first-secret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_client_that_is_refused_while_others_are_not_is_logged_once_a_kind_and_forgotten_when_it_stops()
    {
        var log = new LogEvents();
        var time = new ManualTime();
        var refused = new KafkaDiagnostics(log, time).Refused;
        for (var i = 0; i < 3; i++)
        {
            refused.Report("Group 'billing'", new Error(ErrorCode.Local_Authentication, WrongPassword), Plain).Should().BeTrue();
            time.Advance(TimeSpan.FromSeconds(30));
        }

        refused.Now.Should().ContainSingle().Which.Should().StartWith("Group 'billing': ").And.Contain("KAFKA_SASL_PASSWORD");
        await Waiting.Until(() => log.Count(1016) == 1, "said");
        refused.Report("Group 'billing'",
            new Error(ErrorCode.Local_Ssl, "ssl://127.0.0.1:9092/1: SSL handshake failed: certificate verify failed (after 1ms in state SSL_HANDSHAKE)"), Plain)
            .Should().BeTrue();
        refused.Now.Should().HaveCount(2);
        await Waiting.Until(() => log.Count(1016) == 2, "the other kind said too");
        time.Advance(TimeSpan.FromSeconds(46));
        refused.Now.Should().BeEmpty("it was not repeated");
        refused.Report("Group 'billing'", new Error(ErrorCode.Local_Authentication, WrongPassword), Plain).Should().BeTrue();
        await Waiting.Until(() => log.Count(1016) == 3, "it is news again");
    }

    [Theory]
    [InlineData(ErrorCode.Local_Transport, "127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)")]
    [InlineData(ErrorCode.Local_Transport, "127.0.0.1:9092/1: Disconnected: connection closed by peer (after 1ms in state APIVERSION_QUERY)")]
    [InlineData(ErrorCode.Local_AllBrokersDown, "1/1 brokers are down")]
    [InlineData(ErrorCode.GroupAuthorizationFailed, "FindCoordinator response error: Broker: Group authorization failed")]
    public void An_outage_and_a_missing_right_are_no_refused_clients(ErrorCode code, string line)
    {
        var refused = new KafkaDiagnostics().Refused;
        refused.Report("Group 'billing'", new Error(code, line), Plain).Should().BeFalse();
        refused.Now.Should().BeEmpty();
    }

    [Fact]
    public void A_listener_that_closes_connections_and_has_worked_before_is_no_wrong_set_up()
    {
        var troubles = new ConnectionTroubles(
            new ConnectionFacts(new ClientConfig { BootstrapServers = "127.0.0.1:9092", SecurityProtocol = SecurityProtocol.Plaintext }));
        var line = new LogMessage("kafka", SyslogLevel.Info, "FAIL",
            "[thrd:127.0.0.1:9092/bootstrap]: 127.0.0.1:9092/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 1ms in state "
                + "APIVERSION_QUERY)");
        troubles.Add(line);
        troubles.Main!.Kind.Should().Be(ConnectionFaultKind.PlaintextToTls);
        troubles.Clear();
        troubles.Add(line);
        troubles.Main!.Kind.Should().Be(ConnectionFaultKind.Other);
        troubles.Add(
            new Error(ErrorCode.Local_Transport, "10.0.0.7:9092/2: Connect to ipv4#10.0.0.7:9092 failed: Connection refused (after 0ms in state CONNECT)"));
        troubles.Main!.Kind.Should().Be(ConnectionFaultKind.NobodyListens, "the cluster's broker is away, and its address was right");
    }

    [Fact]
    public void A_listener_that_has_taken_logins_before_is_not_said_to_know_none()
    {
        const string Line =
            "sasl_plaintext://127.0.0.1:9092/1: SASL OAUTHBEARER mechanism handshake failed: Broker: Request not valid in current SASL state (after 1ms in "
                + "state AUTH_HANDSHAKE)";
        ConnectionFaults.Explain(ErrorCode.Local_Authentication, Line, Plain)!.Kind.Should().Be(ConnectionFaultKind.LoginNotAsked);
        ConnectionFaults.Explain(ErrorCode.Local_Authentication, Line, Plain, worked: true)!.Kind.Should()
            .Be(ConnectionFaultKind.Other, "a connection was cut while it logged in again");
    }

    [Fact]
    public void Of_several_brokers_troubles_the_one_that_connecting_meets_last_is_told()
    {
        var troubles = new ConnectionTroubles(Plain);
        troubles.Add(
            new Error(ErrorCode.Local_Transport,
                "sasl_plaintext://127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)"));
        troubles.Add(new Error(ErrorCode.Local_Authentication, WrongPassword));
        troubles.Add(
            new Error(ErrorCode.Local_Resolve,
                "sasl_plaintext://x:9092/bootstrap: Failed to resolve 'x:9092': Name or service not known (after 0ms in state CONNECT)"));
        troubles.Main!.Kind.Should().Be(ConnectionFaultKind.WrongCredentials);
    }

    [Fact]
    public void Secrets_are_taken_out_of_the_clients_words()
    {
        var facts = new ConnectionFacts(
            new ClientConfig
            {
                BootstrapServers = "h:1", SecurityProtocol = SecurityProtocol.SaslPlaintext, SaslMechanism = SaslMechanism.Plain, SaslPassword = "hunter2",
            });
        ConnectionFaults.Explain(ErrorCode.Local_Authentication, "h:1/bootstrap: SASL authentication error: no user has password hunter2", facts)!.ToString()
            .Should().NotContain("hunter2");
    }

    private static bool IsAttempt(LogEvent line) => line.Id == 4004 && line.Message.Contains("SASL authentication error", StringComparison.Ordinal);

    private static string Health(KafkaService kafka) =>
        new KafkaHealthCheck(kafka)
            .CheckHealthAsync(new HealthCheckContext { Registration = new HealthCheckRegistration("kafka", _ => null!, HealthStatus.Unhealthy, null) })
            .GetAwaiter().GetResult().Description ?? "";

    private static Task SetPasswordAsync(IAdminClient admin, string user, string password) => admin.AlterUserScramCredentialsAsync(
        [new UserScramCredentialUpsertion { User = user,
            ScramCredentialInfo = new ScramCredentialInfo { Mechanism = ScramMechanism.ScramSha256, Iterations = 4096 },
            Password = Encoding.UTF8.GetBytes(password) }]);
}
