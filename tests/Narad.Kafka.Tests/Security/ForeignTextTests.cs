using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Tests.Connecting;
using Narad.Kafka.Tests.Service;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Security;

/// <summary>Text from outside cannot write to a terminal, begin a line of a log, or fill it.</summary>
public sealed class ForeignTextTests
{
    [Theory]
    [InlineData("\u001b[2K\u0007forged", "\\u001b[2K\\u0007forged")]
    [InlineData("broker\r\nKafka connection successful", "broker\\r\\nKafka connection successful")]
    [InlineData("a\u0085b\u2028c\u2029d", "a\\u0085b\\u2028c\\u2029d")]
    [InlineData("\u202Egpj.exe\u200B", "\\u202egpj.exe\\u200b")]
    public void Control_and_direction_characters_are_written_as_escapes(string text, string shown)
    {
        ForeignText.Name(text).Should().Be(shown);
        ForeignText.Reason(text).Should().Be(shown);
    }

    [Theory]
    [InlineData("orders-retry")]
    [InlineData("Überweisung № 5 — 注文 🙂")]
    public void Plain_text_is_shown_as_it_is(string text) => ForeignText.Name(text).Should().BeSameAs(text);

    [Fact]
    public void Long_text_is_cut_and_its_length_is_said()
    {
        var shown = ForeignText.Name(new string('x', 900_000));

        shown.Should().StartWith("xxx").And.EndWith("… (900000 characters)");
        shown.Length.Should().BeLessThan(130);
        ForeignText.Reason(new string('\u001b', 900_000)).Length.Should().BeLessThan(ForeignText.MostOfReason + 60);
    }

    [Fact]
    public void Half_a_character_is_written_as_an_escape() => ForeignText.Name("half \ud83d of one").Should().Be("half \\ud83d of one");

    [Fact]
    public void Lines_stay_where_they_may()
    {
        ForeignText.Lines("at A\r\nat B\u001b").Should().Be("at A\r\nat B\\u001b");
        ForeignText.Lines("Kafka connection failed\rKafka connection successful").Should().Be("Kafka connection failed\\rKafka connection successful");
        ForeignText.Name(null).Should().BeNull();
    }

    [Fact]
    public async Task What_a_certificate_names_cannot_write_a_line_of_the_doctor_s_report()
    {
        const string Forged = "broker\u001b[2K\r\n" + DoctorReport.Success + "\u0007";
        using var listener = TestListener.Named(Forged);
        var config = new ClientConfig { BootstrapServers = listener.Address, SecurityProtocol = SecurityProtocol.Ssl };

        var certificate = await BrokerCertificate.LookAsync(listener.Address, config, CancellationToken.None);
        var fault = certificate.Fault(listener.Address, new ConnectionFacts(config), config, detail: Forged)!;
        var report = new DoctorReport(
            [new DoctorStep("TLS", DoctorOutcome.Failed, TimeSpan.Zero, $"{fault.Cause}\nThe client says: {fault.Detail}", Forged)], fault.ToString());

        fault.ToString().Where(char.IsControl).Should().BeEmpty();
        fault.Cause.Should().Contain("\\u001b[2K");
        new KafkaConnectionException(Forged).Message.Where(char.IsControl).Should().BeEmpty();
        var lines = report.ToString().ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        lines.Should().NotContain(line => line.Trim() == DoctorReport.Success).And.OnlyContain(line => !line.Any(char.IsControl));
    }

    [Fact]
    public async Task What_ended_a_subscription_reaches_the_health_report_escaped_and_cut()
    {
        await using var service = await EmbeddedService.StartAsync();
        service.Broker.CreateTopic("t", 1);
        var subscription = (Kafka.Consuming.Subscription)await service.Kafka.SubscribeAsync<string>("t", static (_, _, _) => Task.CompletedTask)
            .WaitAsync(Waiting.Deadline);

        subscription.MoveTo(SubscriptionState.Faulted, new InvalidOperationException($"no\u001b[2K\r\nKafka connection successful{new string('x', 900_000)}"));

        var health = await service.HealthAsync();
        health.Description.Should().Contain("no\\u001b[2K\\r\\nKafka");
        health.Description.Where(char.IsControl).Should().BeEmpty();
        health.Description.Length.Should().BeLessThan(20_000);
    }

    [Fact]
    public void What_a_broker_says_reaches_the_log_escaped_and_cut_in_the_message_and_in_the_exception()
    {
        using var logs = new LogEvents();
        var logger = new GuardedLogger(logs.CreateLogger("x"));
        var refused = new KafkaException(new Error(ErrorCode.Unknown, "no\u001b[2K\rKafka connection successful"));

        logger.LogWarning(new InvalidOperationException("it failed", refused), "The broker says: {Reason}", new string('x', 900_000) + "\n");
        logger.LogWarning(new InvalidOperationException("plain\ntext"), "Plain");

        logs.All[0].Message.Length.Should().BeLessThan(17_000);
        logs.All[0].Error!.ToString().Should().Contain("it failed").And.Contain("no\\u001b[2K\\rKafka").And.NotContain("\u001b");
        logs.All[1].Error.Should().BeOfType<InvalidOperationException>();
    }
}
