using System.Collections.Concurrent;
using System.Diagnostics;
using Confluent.Kafka;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Tests.Service;

/// <summary>
/// Health follows progress: where there is something to be consumed and nothing is, it is degraded and then unhealthy, with cause and remedy, until something
/// is again.
/// </summary>
public sealed class ProgressTests
{
    private const int ClientError = 3040;

    // The client looks for a coordinator that it believes to have moved with growing delays.
    private static readonly TimeSpan Joins = TimeSpan.FromSeconds(90);

    [Fact]
    public async Task A_group_whose_other_members_use_another_assignor_is_named_with_the_setting_and_joined_when_they_are_gone()
    {
        await using var service = await StartAsync();
        service.Broker.CreateTopic("orders", 1);
        Refuse(service, KafkaRequest.JoinGroup, ErrorCode.InconsistentGroupProtocol);
        var subscribing = service.Kafka.SubscribeAsync<string>("orders", (_, _, _) => Task.CompletedTask);

        await Becomes(service, HealthStatus.Degraded);
        var health = await Becomes(service, HealthStatus.Unhealthy, "partition.assignment.strategy");

        health.Should().Contain("group.protocol").And.Contain("Kafka:Assignor").And.Contain("Kafka:GroupProtocol").And.Contain("'g'");
        service.Kafka.Subscriptions.Should().ContainSingle().Which.State.Should().Be(SubscriptionState.Joining);
        service.Log.All.Where(logged => logged.Id == ClientError).Should()
            .Contain(logged => logged.Message.Contains("Kafka:Assignor", StringComparison.Ordinal));

        service.Broker.ClearFailures(KafkaRequest.JoinGroup);
        await subscribing.WaitAsync(Waiting.Deadline);
        await Becomes(service, HealthStatus.Healthy);
    }

    [Fact]
    public async Task A_member_that_its_group_took_out_is_unhealthy_until_the_group_is_joined_again()
    {
        await using var service = await StartAsync();
        await service.Kafka.SubscribeAsync<string>("orders", (_, _, _) => Task.CompletedTask);
        await Becomes(service, HealthStatus.Healthy);

        Refuse(service, KafkaRequest.JoinGroup, ErrorCode.NotCoordinatorForGroup);
        service.Broker.FailNext(KafkaRequest.Heartbeat, ErrorCode.UnknownMemberId);
        await Becomes(service, HealthStatus.Unhealthy, "group 'g' lost its partitions and has not been joined again", Joins);

        service.Broker.ClearFailures(KafkaRequest.JoinGroup);
        await Becomes(service, HealthStatus.Healthy, deadline: Joins);
    }

    [Fact]
    public async Task A_topic_that_may_not_be_read_any_more_is_named_with_the_right_until_a_message_comes_again()
    {
        await using var service = await StartAsync();
        var handled = 0;
        var subscription = await service.Kafka.SubscribeAsync<string>("orders", (_, _, _) =>
        {
            Interlocked.Increment(ref handled);
            return Task.CompletedTask;
        });
        await service.SendAsync("orders", "1", partition: 0);
        await Waiting.Until(() => Volatile.Read(ref handled) == 1, "one is handled");
        await Becomes(service, HealthStatus.Healthy);

        Refuse(service, KafkaRequest.Fetch, ErrorCode.TopicAuthorizationFailed);
        await service.SendAsync("orders", "2", partition: 0);
        var health = await Becomes(service, HealthStatus.Unhealthy, "Read on topic 'orders'");
        health.Should().Contain("the group continues by itself then").And.NotContain("subscribe again");

        service.Broker.ClearFailures(KafkaRequest.Fetch);
        await Waiting.Until(() => Volatile.Read(ref handled) == 2, "the other one is handled");
        for (var partition = 0; partition < subscription.Assignment.Count; partition++)
        {
            await service.SendAsync("orders", "3", partition: partition);
        }

        await Becomes(service, HealthStatus.Healthy);
    }

    [Fact]
    public async Task A_group_that_may_not_be_read_any_more_is_named_with_the_right_until_it_commits_again()
    {
        await using var service = await StartAsync();
        var handled = 0;
        var subscription = await service.Kafka.SubscribeAsync<string>("orders", (_, _, _) =>
        {
            Interlocked.Increment(ref handled);
            return Task.CompletedTask;
        });
        Refuse(service, KafkaRequest.OffsetCommit, ErrorCode.GroupAuthorizationFailed);
        await service.SendAsync("orders", "1");

        var health = await Becomes(service, HealthStatus.Unhealthy, "cannot be committed");
        health.Should().Contain("Read on group 'g'").And.Contain("the group continues by itself then");

        service.Broker.ClearFailures(KafkaRequest.OffsetCommit);
        await Becomes(service, HealthStatus.Healthy);
        subscription.State.Should().Be(SubscriptionState.Running);
    }

    [Fact]
    public async Task A_join_that_is_refused_at_first_ends_the_subscription_for_good_and_it_can_be_made_again()
    {
        await using var service = await StartAsync();
        service.Broker.CreateTopic("orders", 1);
        var handled = new ConcurrentQueue<string>();
        Task Handle(string message, MessageContext context, CancellationToken token)
        {
            handled.Enqueue(message);
            return Task.CompletedTask;
        }

        Refuse(service, KafkaRequest.JoinGroup, ErrorCode.GroupAuthorizationFailed);
        var refused = await FluentActions.Awaiting(() => service.Kafka.SubscribeAsync<string>("orders", Handle)).Should()
            .ThrowAsync<KafkaConnectionException>();
        refused.Which.Message.Should().Contain("Read on group 'g'").And.Contain("subscribe again");
        service.Kafka.Subscriptions.Should().BeEmpty();
        service.Broker.ClearFailures(KafkaRequest.JoinGroup);
        await service.SendAsync("orders", "1");

        var again = await service.Kafka.SubscribeAsync<string>("orders", Handle).WaitAsync(Waiting.Deadline);

        await Waiting.Until(() => handled.Count == 1, "it is handled, once");
        again.State.Should().Be(SubscriptionState.Running);
        await Becomes(service, HealthStatus.Healthy);
    }

    [Fact]
    public async Task A_retry_topic_that_takes_no_messages_is_named_while_they_hold_their_keys()
    {
        await using var service = await StartAsync();
        var fails = true;
        await service.Kafka.SubscribeAsync<string>(
            "orders",
            (_, _, _) => Volatile.Read(ref fails) ? throw new InvalidOperationException("no stock") : Task.CompletedTask,
            configure: subscription =>
            {
                subscription.Retry.Topic.MaxAttempts = 1;
                subscription.Retry.Topic.Delay = TimeSpan.FromMilliseconds(100);
                subscription.Retry.Topic.BackoffType = DelayBackoffType.Constant;
            });
        await service.SendAsync("orders", "1");
        await Waiting.Until(() => service.Kafka.Groups.Any(group => group.Metrics.Retries > 0), "one is retried");
        Volatile.Write(ref fails, false);
        await Becomes(service, HealthStatus.Healthy);
        Volatile.Write(ref fails, true);

        await service.SendAsync("orders", "2");
        Refuse(service, KafkaRequest.Produce, ErrorCode.TopicAuthorizationFailed);
        var health = await Becomes(service, HealthStatus.Unhealthy, "cannot be moved to");
        health.Should().Contain("'orders'").And.Contain("Write on topic");

        service.Broker.ClearFailures(KafkaRequest.Produce);
        Volatile.Write(ref fails, false);
        await Becomes(service, HealthStatus.Healthy, deadline: TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task Handlers_that_run_for_longer_than_MaxPollInterval_degrade_and_never_more()
    {
        await using var service = await StartAsync(options =>
        {
            options.SessionTimeout = TimeSpan.FromSeconds(1);
            options.MaxPollInterval = TimeSpan.FromSeconds(1);
        });
        var finish = new TaskCompletionSource();
        await service.Kafka.SubscribeAsync<string>("orders", (_, _, _) => finish.Task);
        await service.SendAsync("orders", "1");

        var health = await Becomes(service, HealthStatus.Degraded, "1 handler(s) have run for longer than MaxPollInterval");
        health.Should().Contain("orders[");
        await Waiting.Until(() => Stalls(service).Any(stall => stall.Lasted > TimeSpan.FromSeconds(1.5)), "that lasts longer than UnhealthyAfter");
        (await service.HealthAsync()).Status.Should().Be(HealthStatus.Degraded);

        finish.SetResult();
        await Becomes(service, HealthStatus.Healthy);
    }

    [Fact]
    public async Task What_the_application_pauses_is_no_standstill()
    {
        await using var service = await StartAsync();
        var handled = 0;
        var subscription = await service.Kafka.SubscribeAsync<string>(
            "orders",
            (_, context, _) => Interlocked.Increment(ref handled) == 1 ? throw new InvalidOperationException() : Task.CompletedTask,
            configure: subscription =>
            {
                subscription.Retry.Topic.MaxAttempts = 1;
                subscription.Retry.Topic.Delay = TimeSpan.FromSeconds(5);
                subscription.Retry.Topic.BackoffType = DelayBackoffType.Constant;
            });
        await service.SendAsync("orders", "1");
        await Waiting.Until(() => service.Kafka.Groups.Any(group => group.Loop?.WaitingRetries > 0), "a retry waits");
        await subscription.PauseAllAsync();
        var watch = Stopwatch.StartNew();

        await Waiting.Until(() => watch.Elapsed > TimeSpan.FromSeconds(7.5), "the retry is due for longer than UnhealthyAfter");

        // On a busy machine the poll thread may be late for once; a standstill would stay.
        await Waiting.Until(
            async () => await service.HealthAsync() is { Status: HealthStatus.Healthy } health && health.Description.EndsWith("are paused by name"),
            "what is paused is all that health names");
        Volatile.Read(ref handled).Should().Be(1);
        await subscription.ResumeAllAsync();
        await Waiting.Until(() => Volatile.Read(ref handled) == 2, "the retry is handled");
    }

    private static Task<EmbeddedService> StartAsync(Action<KafkaOptions>? configure = null) => EmbeddedService.StartAsync(options =>
    {
        options.DegradedAfter = TimeSpan.FromMilliseconds(400);
        options.UnhealthyAfter = TimeSpan.FromMilliseconds(1_500);
        configure?.Invoke(options);
    });

    private static void Refuse(EmbeddedService service, KafkaRequest request, ErrorCode error) =>
        service.Broker.FailNext(request, [.. Enumerable.Repeat(error, 20_000)]);

    private static IEnumerable<Stall> Stalls(EmbeddedService service) => service.Kafka.Groups.SelectMany(GroupStalls.Of);

    private static async Task<string> Becomes(EmbeddedService service, HealthStatus status, string words = "", TimeSpan? deadline = null)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            var latest = await service.HealthAsync();
            if (latest.Status == status && latest.Description.Contains(words, StringComparison.Ordinal))
            {
                return latest.Description;
            }

            if (watch.Elapsed > (deadline ?? Waiting.Deadline))
            {
                throw new TimeoutException($"Not {status} with '{words}', but {latest}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10));
        }
    }
}
