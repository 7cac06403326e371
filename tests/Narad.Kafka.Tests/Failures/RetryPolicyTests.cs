using Microsoft.Extensions.Logging.Abstractions;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Failures;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Failures;

/// <summary>What a policy with a retry topic says of a failure, and what it refuses to be told.</summary>
public sealed class RetryPolicyTests
{
    [Fact]
    [Trait("Promise", "S19")]
    public void By_default_there_are_three_attempts_after_2_4_and_8_seconds()
    {
        var options = new RetryOptions { Topic = { MaxAttempts = 3 } };

        var decisions = Enumerable.Range(0, 4).Select(retry => Decide(options, new TimeoutException(), retry: retry)).ToList();

        decisions.Select(verdict => verdict.Action).Should()
            .Equal(FailureAction.RetryLater, FailureAction.RetryLater, FailureAction.RetryLater, FailureAction.DeadLetter);
        decisions.Take(3).Select(verdict => verdict.Delay.TotalSeconds).Should().Equal(2, 4, 8);
        var topics = new FailureTopics(
            options.Topic.TopicPolicy,
            pairs: false,
            deadLetterName: null,
            new ConsoleTransport(new KafkaOptions(), new KafkaDiagnostics()),
            new KafkaOptions(),
            static () => throw new InvalidOperationException(),
            new StallCauses(TimeProvider.System),
            TimeProvider.System,
            NullLogger.Instance);
        topics.RetryNameFor("client-messages").Should().Be("client-messages-retry");
        topics.DeadLetterNameFor("client-messages").Should().Be("client-messages-dlt");
    }

    [Fact]
    public void Retries_in_memory_come_first_unless_the_failure_is_to_be_retried_later()
    {
        var options = new RetryOptions
        {
            InMemory = { MaxAttempts = 1 },
            Topic = { MaxAttempts = 1 },
            ExceptionActions = { [typeof(FormatException)] = FailureAction.RetryLater, [typeof(NotSupportedException)] = FailureAction.DeadLetter },
        };

        Decide(options, new TimeoutException(), attempt: 1).Action.Should().Be(FailureAction.Retry);
        Decide(options, new TimeoutException(), attempt: 2).Action.Should().Be(FailureAction.RetryLater);
        Decide(options, new InvalidOperationException("outside", new FormatException()), attempt: 1).Action.Should()
            .Be(FailureAction.RetryLater, "causes count");
        Decide(options, new FormatException(), attempt: 1, retry: 1).Action.Should().Be(FailureAction.DeadLetter, "no attempt is left");
        Decide(options, new NotSupportedException(), attempt: 1).Action.Should().Be(FailureAction.DeadLetter);
    }

    [Fact]
    public void A_handler_that_asks_for_it_later_gets_it_whatever_the_policy_says_and_no_later_than_the_longest_delay()
    {
        var options = new RetryOptions { Topic = { MaxAttempts = 1, MaxDelay = TimeSpan.FromHours(2) }, ActionSelector = static _ => FailureAction.Stop };

        Decide(options, new RetryLaterException(TimeSpan.FromHours(1)), retry: 1).Should()
            .Be(new FailureDecision(FailureAction.RetryLater, TimeSpan.FromHours(1)));
        Decide(options, new RetryLaterException(TimeSpan.FromDays(3))).Delay.Should().Be(TimeSpan.FromHours(2));
        Decide(new RetryOptions(), new RetryLaterException(TimeSpan.FromDays(60))).Should()
            .Be(new FailureDecision(FailureAction.Retry, TimeSpan.FromDays(60)), "without a retry topic it waits in memory");
    }

    [Fact]
    public void Delays_grow_as_their_backoff_type_says_and_end_at_the_longest_one()
    {
        var second = TimeSpan.FromSeconds(1);

        Delays(new InMemoryRetryOptions { Delay = second }).Should().Equal(1, 1, 1, 1);
        Delays(new InMemoryRetryOptions { Delay = second, BackoffType = DelayBackoffType.Linear }).Should().Equal(1, 2, 3, 4);
        Delays(new InMemoryRetryOptions { Delay = second, BackoffType = DelayBackoffType.Exponential, MaxDelay = 5 * second }).Should().Equal(1, 2, 4, 5);
        Delays(new InMemoryRetryOptions { DelayGenerator = attempt => attempt * attempt * second, MaxDelay = 10 * second }).Should().Equal(1, 4, 9, 10);
        Delays(new InMemoryRetryOptions { Delay = second, UseJitter = true }).Should().OnlyContain(static delay => delay >= 0.75 && delay <= 1.25);
        FluentActions.Invoking(() => new RetryLaterException(TimeSpan.FromDays(-1))).Should().Throw<ArgumentOutOfRangeException>();

        static IEnumerable<double> Delays(InMemoryRetryOptions options) => Enumerable.Range(1, 4)
            .Select(attempt => options.Backoff.Before(attempt).TotalSeconds);
    }

    [Theory]
    [InlineData(3, 86_400)]          // waits of seconds: a day, for whoever says RetryLaterException
    [InlineData(20, 1_048_576)]      // 2^20 s: longer than a day
    public void The_longest_delay_is_a_day_or_the_longest_wait(int attempts, int seconds) =>
        new RetryTopicOptions { MaxAttempts = attempts }.TopicPolicy!.MaxDelay.Should().Be(TimeSpan.FromSeconds(seconds));

    private static FailureDecision Decide(RetryOptions options, Exception error, int attempt = 1, int retry = 0) =>
        new FailurePolicy(options, FailureAction.DeadLetter, NullLogger.Instance)
            .Decide(error, new MessageContext { Topic = "t", Retry = retry, Attempt = attempt });
}
