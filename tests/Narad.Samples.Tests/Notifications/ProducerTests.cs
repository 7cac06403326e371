using Notifications.Producer;

namespace Narad.Samples.Tests.Notifications;

/// <summary><c>Notifications produce</c>.</summary>
public sealed class ProducerTests
{
    [Fact]
    public async Task A_stream_has_unique_ids_goes_to_each_user_in_turn_and_shows_its_progress()
    {
        await using var host = await NotificationsHost.StartAsync();
        using var output = new StringWriter();
        var options = new ProduceOptions { Count = 250, Users = "user1,user2" };

        var isComplete = await new NotificationProducer(host.Kafka, TimeProvider.System, output)
            .SendAsync(NotificationSource.Stream(options, TimeProvider.System), rate: 0, CancellationToken.None);

        isComplete.Should().BeTrue();
        output.ToString().Should().Contain("250 sent, 0 in flight, 0 refused");
        await Task.WhenAll(host.StoredAsync("user1", 125), host.StoredAsync("user2", 125));
    }

    [Fact]
    public async Task A_file_is_sent_line_by_line_and_a_line_that_is_no_notification_is_named()
    {
        await using var host = await NotificationsHost.StartAsync();
        using var output = new StringWriter();
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllLinesAsync(file,
            [
                """{"id":"n-1","userId":"user1","message":"with an id","timestamp":"2099-01-01T00:00:00Z"}""",
                """{"userId":"user1","message":"without"}""",
                "",
                """{"userId":"user1"}""",
                "no JSON",
                """{"id":"n-1","userId":"user1","message":"again"}""",
            ]);
            var producer = new NotificationProducer(host.Kafka, TimeProvider.System, output);

            var isComplete = await producer.SendAsync(
                NotificationSource.ReadAsync(file, producer.Refuse, TimeProvider.System), rate: 0, CancellationToken.None);

            isComplete.Should().BeFalse();
            output.ToString().Should().Contain("Line 4 is no notification: The message has").And.Contain("Line 5 is no notification").And.Contain("3 sent");
            await host.StoredAsync("user1", 2);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_stream_keeps_its_rate_and_stops_when_it_is_told_to()
    {
        await using var host = await NotificationsHost.StartAsync();
        using var output = new StringWriter();
        using var stopping = new CancellationTokenSource();
        await using var device = await Device.ConnectAsync(host.Url, "user1");
        var started = TimeProvider.System.GetTimestamp();

        var sending = new NotificationProducer(host.Kafka, TimeProvider.System, output)
            .SendAsync(NotificationSource.Stream(new ProduceOptions { Users = "user1" }, TimeProvider.System), rate: 10, stopping.Token);
        await device.ReceivedAsync(6);
        TimeProvider.System.GetElapsedTime(started).Should().BeGreaterThan(TimeSpan.FromMilliseconds(490), "the sixth is due half a second after the first");
        await stopping.CancelAsync();

        (await sending).Should().BeTrue("what was sent is confirmed");
        output.ToString().Should().Contain("0 in flight");
    }

    [Theory]
    [InlineData("--count=many", "many")]
    [InlineData("--rate=-1", "Rate")]
    [InlineData("--users=a b", "'a b' is no user")]
    [InlineData("--file", "write --NAME=VALUE")]
    public async Task An_argument_that_is_wrong_is_named(string argument, string reason)
    {
        using var errors = new StringWriter();

        (await ProduceCommand.RunAsync([argument], TextWriter.Null, errors)).Should().Be(2);

        errors.ToString().Should().Contain(reason).And.Contain("Notifications produce [--count=N]");
    }

    [Fact]
    public async Task Without_a_broker_it_says_so_and_ends_with_1()
    {
        using var errors = new StringWriter();

        var code = await ProduceCommand.RunAsync(
            ["--Kafka:Mode=Kafka", "--Kafka:Brokers=127.0.0.1:1", "--Kafka:ConnectTimeout=00:00:01", "--count=1"], TextWriter.Null, errors);

        code.Should().Be(1);
        errors.ToString().Should().Contain("127.0.0.1:1").And.NotContain("   at ");
    }

    [Fact]
    public async Task It_sends_to_the_broker_that_it_is_given()
    {
        await using var host = await NotificationsHost.StartAsync();
        using var output = new StringWriter();

        var code = await ProduceCommand.RunAsync(
            ["--Kafka:Mode=Kafka", $"--Kafka:Brokers={host.Broker.BootstrapServers}", "--count=3", "--rate=0", "--users=user1"], output, TextWriter.Null);

        code.Should().Be(0);
        output.ToString().Should().Contain("3 sent");
        await host.StoredAsync("user1", 3);
    }
}
