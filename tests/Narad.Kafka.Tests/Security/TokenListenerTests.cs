using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Shared;
using Narad.Kafka.Testing;

namespace Narad.Kafka.Tests.Security;

/// <summary>Tokens on real Kafka, whose listeners close a connection when its token has expired and was not renewed.</summary>
[Trait("Promise", "S29")]
public sealed class TokenListenerTests
{
    // What a message takes that travels on connections which stand.
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan ShortLife = TimeSpan.FromSeconds(5);

    [SkippableTheory]
    [InlineData(TokenListener.Plaintext)]
    [InlineData(TokenListener.Tls)]
    [Long]
    public async Task An_idle_consumer_and_an_idle_producer_outlive_their_tokens_and_carry_messages_at_once(string listener)
    {
        // Two minutes with tokens of ten seconds take NARAD_TEST_TOKEN_SECONDS=120.
        var idle = TimeSpan.FromSeconds(int.Parse(Environment.GetEnvironmentVariable("NARAD_TEST_TOKEN_SECONDS") ?? "20", CultureInfo.InvariantCulture));
        var life = TimeSpan.FromSeconds(10);
        await using var service = new TokenService(TokenListener.Options(listener, TokenListener.Tokens(life)));
        var topic = await RealKafka.CreateTopicAsync();
        await service.ConnectAsync(topic);
        await service.Kafka.SendAsync(topic, "first");
        await Waiting.Until(() => service.Received.Contains("first"), "the first message came");

        var watch = Stopwatch.StartNew();
        await Waiting.Until(() => !service.Kafka.IsConnected || watch.Elapsed > idle, "nothing happens for a while", idle + Waiting.Deadline);
        service.Kafka.IsConnected.Should().BeTrue("it stayed connected all the time");
        var health = await service.HealthAsync();
        health.Status.Should().Be(HealthStatus.Healthy, "it says {0}", health.Description);
        watch.Restart();
        await service.Kafka.SendAsync(topic, "after").AsTask().WaitAsync(AtOnce);
        await Waiting.Until(() => service.Received.Contains("after"), "the message came at once", AtOnce);

        watch.Elapsed.Should().BeLessThan(AtOnce);
        service.Received.Should().Equal("first", "after");
        service.Log.Count(9003).Should().BeGreaterThan((int)(idle / life), "tokens were renewed");
        service.Log.All.Where(line => line.Level >= LogLevel.Warning && line.Message.Contains("authenticat", StringComparison.OrdinalIgnoreCase)).Should()
            .BeEmpty();
    }

    [SkippableFact]
    public async Task Every_kind_of_client_gets_tokens_and_one_source_serves_them_all()
    {
        var asked = 0;
        await using var service = new TokenService(TokenListener.Options(TokenListener.Plaintext, _ =>
        {
            Interlocked.Increment(ref asked);
            return new ValueTask<OAuthBearerToken>(UnsecuredToken.Create("token-test"));
        }));
        var (failing, exact, output) = (await RealKafka.CreateTopicAsync(), await RealKafka.CreateTopicAsync(), await RealKafka.CreateTopicAsync());
        var kafka = service.Kafka;
        await kafka.Topics.CreateIfNotExistsAsync([new($"{failing}-retry", 1), new($"{failing}-dlt", 1)]);
        await service.ConnectAsync(output);
        var (group, exactly) = (RealKafka.NewName("group"), RealKafka.NewName("group"));
        await kafka.ConnectConsumerAsync(group);
        await kafka.ConnectConsumerAsync(exactly);
        var attempts = new ConcurrentQueue<int>();
        await kafka.SubscribeAsync<string>(
            failing,
            (_, context, _) =>
            {
                attempts.Enqueue(context.Attempt);
                throw new InvalidOperationException("No.");
            },
            group,
            s =>
            {
                s.Retry.Topic.MaxAttempts = 1;
                s.Retry.Topic.Delay = TimeSpan.FromMilliseconds(200);
                s.Retry.Topic.BackoffType = DelayBackoffType.Constant;
                s.DeadLetter.Enabled = true;
            });
        await kafka.SubscribeAsync<string>(exact, async (message, context, token) =>
            await context.SendAsync(output, $"{message}, exactly", cancellationToken: token), exactly, s => s.ExactlyOnce.Enabled = true);

        await kafka.SendAsync(failing, "poison");
        await kafka.SendAsync(exact, "once");
        await Waiting.Until(() => service.Received.Contains("once, exactly"), "the transaction was committed");
        await Waiting.Until(() => attempts.Count == 2, "it was retried");
        var letters = new List<DeadLetter>();
        await Waiting.Until(() => kafka.DeadLetters.CountAsync($"{failing}-dlt").GetAwaiter().GetResult() == 1, "it is a dead letter");
        await foreach (var letter in kafka.DeadLetters.BrowseAsync($"{failing}-dlt"))
        {
            letters.Add(letter);
        }

        letters.Should().ContainSingle();
        asked.Should().Be(1);
        service.Log.All.Count(line => line.Id == 9003).Should().Be(1);
    }

    [SkippableTheory]
    [InlineData("throws", "The vault is sealed")]
    [InlineData("hangs", "it has not answered yet")]
    [InlineData("expired", "it returned a token that expired at")]
    [InlineData("empty", "it returned an empty token")]
    public async Task A_source_that_gives_no_token_is_named_by_the_exception_of_connecting(string fault, string words)
    {
        var options = TokenListener.Options(TokenListener.Plaintext, Faulty(fault));
        options.ConnectTimeout = TimeSpan.FromSeconds(3);
        await using var service = new TokenService(options);
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();

        var failed = await service.Kafka.Awaiting(kafka => kafka.ConnectProducerAsync()).Should().ThrowAsync<KafkaConnectionException>();

        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(8) + stalls.Allowance);
        failed.Which.Message.Should().Contain("there is no token").And.Contain(words);
    }

    [SkippableTheory]
    [InlineData("throws")]
    [InlineData("expired")]
    [InlineData("empty")]
    public async Task A_source_that_recovers_while_connecting_is_all_that_it_takes(string fault)
    {
        var asked = 0;
        var faulty = Faulty(fault);
        var options = TokenListener.Options(
            TokenListener.Plaintext, token => ++asked <= 2 ? faulty(token) : new ValueTask<OAuthBearerToken>(UnsecuredToken.Create("token-test")));
        options.ConnectTimeout = TimeSpan.FromSeconds(20);
        await using var service = new TokenService(options);
        var topic = await RealKafka.CreateTopicAsync();

        await service.ConnectAsync(topic);
        await service.Kafka.SendAsync(topic, "hello");
        await Waiting.Until(() => service.Received.Contains("hello"), "it came");

        service.Log.Count(9001).Should().Be(1, "each kind of failure is logged once");
        service.Log.Count(9002).Should().Be(1);
    }

    [SkippableFact]
    public async Task A_source_that_fails_while_connected_degrades_health_then_ends_it_and_all_is_well_when_it_recovers()
    {
        var broken = false;
        var tokens = TokenListener.Tokens(ShortLife);
        await using var service = new TokenService(TokenListener.Options(
            TokenListener.Plaintext,
            token => Volatile.Read(ref broken) ? throw new InvalidOperationException("The vault is sealed.") : tokens(token)));
        var topic = await RealKafka.CreateTopicAsync();
        await service.ConnectAsync(topic);
        (await service.HealthAsync()).Status.Should().Be(HealthStatus.Healthy);

        Volatile.Write(ref broken, true);
        await UntilAsync(HealthStatus.Degraded);
        service.Kafka.IsConnected.Should().BeTrue("the token is good for a while");
        await UntilAsync(HealthStatus.Unhealthy);
        await Waiting.Until(() => !service.Kafka.IsConnected, "the connections are cut");
        (await service.HealthAsync()).Description.Should().Contain("no broker answers (")
            .And.Contain("there is no token: the token source failed: it threw InvalidOperationException: The vault is sealed");
        var sending = service.Kafka.SendAsync(topic, "meanwhile");
        Volatile.Write(ref broken, false);

        await sending;
        await Waiting.Until(() => service.Received.Contains("meanwhile"), "it came");
        await UntilAsync(HealthStatus.Healthy);
        service.Log.Count(9001).Should().Be(1);

        async Task UntilAsync(HealthStatus status)
        {
            var report = await service.HealthAsync();
            await Waiting.Until(() => (report = service.HealthAsync().GetAwaiter().GetResult()).Status == status, $"health is {status}");
            if (status is not HealthStatus.Healthy)
            {
                report.Description.Should().Contain("The vault is sealed");
            }
        }
    }

    [SkippableFact]
    [Trait("Promise", "S30")]
    public async Task A_token_that_the_broker_refuses_fails_within_the_timeout_and_is_in_no_message()
    {
        const string Secret = "not-a-token-but-a-secret";
        var options = TokenListener.Options(
            TokenListener.Plaintext, _ => new ValueTask<OAuthBearerToken>(new OAuthBearerToken(Secret, DateTimeOffset.UtcNow.AddHours(1), "me")));
        options.ConnectTimeout = TimeSpan.FromSeconds(3);
        await using var service = new TokenService(options);

        var failed = await service.Kafka.Awaiting(kafka => kafka.ConnectProducerAsync()).Should().ThrowAsync<KafkaConnectionException>();

        failed.Which.ToString().Should().NotContain(Secret);
        service.Log.All.Should().NotContain(line => line.Message.Contains(Secret) || $"{line.Error}".Contains(Secret));
    }

    private static OAuthBearerTokenProvider Faulty(string fault) => fault switch
    {
        "throws" => static _ => throw new InvalidOperationException("The vault is sealed."),
        "hangs" => static async token =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, token);
            return null!;
        },
        "expired" => static _ => new ValueTask<OAuthBearerToken>(UnsecuredToken.Create("token-test", TimeSpan.FromSeconds(-10))),
        "empty" => static _ => new ValueTask<OAuthBearerToken>(new OAuthBearerToken("", DateTimeOffset.UtcNow.AddHours(1), "token-test")),
        _ => throw new ArgumentOutOfRangeException(nameof(fault)),
    };
}
