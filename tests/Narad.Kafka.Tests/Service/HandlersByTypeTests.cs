using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Narad.Kafka.Tests.Service;

/// <summary>Handlers by type on a broker: in a host with scopes, with retries, dead letters, the inbox and tombstones.</summary>
public sealed class HandlersByTypeTests
{
    [Fact]
    public async Task In_a_host_each_type_has_a_handler_of_its_own_scope_and_others_are_counted()
    {
        var seen = new ConcurrentQueue<string>();
        var builder = Builder();
        builder.Services.AddSingleton(seen).AddScoped<ScopeId>();
        builder.Services.AddNaradKafka(options => options.Mode = KafkaMode.Embedded)
            .AddSubscription("user-events", types => types
                .On<UserLogin, Processor>()
                .On<UserAction, Processor>("USER_ACTION")
                .OnTombstone<UserAction, Deleted>()
                .Otherwise(UnknownTypePolicy.Skip), group: "event-processor", options => options.Order = MessageOrder.ByPartition);
        using var host = builder.Build();
        await host.StartAsync();
        var kafka = host.Services.GetRequiredService<IKafkaService>();
        var first = new SendOptions { Partition = 0 };

        await kafka.SendAsync("user-events", """{"type":"USER_LOGIN","userId":"1"}""", options: first);
        await kafka.SendAsync("user-events", """{"type":"SOMETHING_ELSE","userId":"x"}""", options: first);
        await kafka.SendAsync("user-events", """{"type":"USER_ACTION","userId":"2","action":"click"}""", options: first);
        await kafka.SendTombstoneAsync("user-events", "user-3", options: first);
        await kafka.SendAsync("user-events", MessageEnvelope.Create(new UserLogin("4")), options: first);
        await Waiting.Until(() => seen.Count == 4, "all are handled");

        seen.Select(one => one.Split('@')[0]).Should().Equal("login 1", "click 2", "deleted user-3", "login 4");
        seen.Select(one => one.Split('@')[1]).Should().OnlyHaveUniqueItems("each has a scope of its own");
        ((KafkaService)kafka).Groups.Sum(group => group.Metrics.UnknownTypes).Should().Be(1);
        kafka.Subscriptions[0].StoppedPartitions.Should().BeEmpty();
        await host.StopAsync();
    }

    [Fact]
    public async Task Errors_of_all_subscriptions_by_type_fail_the_start_together()
    {
        var builder = Builder();
        builder.Services.AddSingleton(new ConcurrentQueue<string>());
        builder.Services.AddNaradKafka(options => options.Mode = KafkaMode.Embedded)
            .AddSubscription("user-events", types => types.On<UserLogin, Processor>().On<UserAction, Processor>("USER_LOGIN"), group: "g")
            .AddSubscription("system-events", types => types.Derived<UserAction>(), group: "g");
        using var host = builder.Build();

        var errors = (await host.Awaiting(it => it.StartAsync()).Should().ThrowAsync<KafkaConfigurationException>()).Which.Errors;

        errors.Should().HaveCount(2);
        errors[0].Should().Contain("'user-events'").And.Contain("\"USER_LOGIN\"").And.Contain(nameof(UserLogin)).And.Contain(nameof(UserAction));
        errors[1].Should().Contain("'system-events'").And.Contain(nameof(UserAction));
    }

    [Fact]
    public async Task A_handler_by_type_whose_dependency_is_missing_fails_the_start()
    {
        var builder = Builder();
        builder.Services.AddNaradKafka(options => options.Mode = KafkaMode.Embedded)
            .AddSubscription("user-events", types => types.On<UserLogin, Processor>().Otherwise<Unknown>(), group: "g");
        using var host = builder.Build();

        var errors = (await host.Awaiting(it => it.StartAsync()).Should().ThrowAsync<KafkaConfigurationException>()).Which.Errors;

        errors.Should().HaveCount(2);
        errors.Should().ContainSingle(error => error.Contains(nameof(Processor))).And.ContainSingle(error => error.Contains(nameof(Unknown)));
    }

    [Fact]
    public async Task Retries_in_memory_and_through_the_topic_come_to_the_handler_of_the_type_and_unknown_types_are_dead_letters_at_once()
    {
        await using var service = await EmbeddedService.StartAsync();
        var attempts = new ConcurrentQueue<string>();
        await service.Kafka.SubscribeByTypeAsync(
            "user-events",
            types => types
                .On<UserLogin>((_, _, _) => Task.CompletedTask)
                .On<UserAction>("USER_ACTION", (action, context, _) =>
                {
                    attempts.Enqueue($"{action.Action} {context.Retry}.{context.Attempt}");
                    throw new InvalidOperationException("always");
                })
                .Otherwise(UnknownTypePolicy.DeadLetter),
            configure: options =>
            {
                options.Retry.InMemory.MaxAttempts = 1;
                options.Retry.InMemory.Delay = TimeSpan.FromMilliseconds(1);
                options.Retry.Topic.MaxAttempts = 1;
                options.Retry.Topic.Delay = TimeSpan.FromMilliseconds(1);
            });

        await service.SendAsync("user-events", """{"type":"USER_ACTION","userId":"2","action":"click"}""", "a");
        await service.SendAsync("user-events", """{"type":"X","userId":"2"}""", "b");
        await service.SendAsync("user-events", """{"type":"USER_ACTION","type":"USER_LOGIN"}""", "c");
        await Waiting.Until(async () => await service.Kafka.DeadLetters.CountAsync("user-events-dlt") == 3, "three dead letters");

        attempts.Should().Equal("click 0.1", "click 0.2", "click 1.1", "click 1.2");
        service.Log.All.Count(logged => logged.Error is UnknownMessageTypeException).Should().Be(2, "each of the two was tried once");
    }

    [Fact]
    public async Task A_handler_for_other_types_is_retried_as_any_and_gets_the_value()
    {
        await using var service = await EmbeddedService.StartAsync();
        var seen = new ConcurrentQueue<string>();
        var subscription = await service.Kafka.SubscribeByTypeAsync(
            "user-events",
            types => types.On<UserLogin>((_, _, _) => Task.CompletedTask).Otherwise((unknown, context, _) =>
            {
                seen.Enqueue($"{unknown.Type} {context.Attempt} {System.Text.Encoding.UTF8.GetString(context.RawValue!.Value.Span)}");
                return context.Attempt == 1 ? throw new InvalidOperationException("once more") : Task.CompletedTask;
            }),
            configure: options => options.Retry.InMemory.MaxAttempts = 1);

        await service.SendAsync("user-events", """{"type":"X"}""", "b", partition: 0);
        await Waiting.Until(() => service.Committed("user-events") == 1, "it is finished");

        seen.Should().Equal("""X 1 {"type":"X"}""", """X 2 {"type":"X"}""");
        subscription.StoppedPartitions.Should().BeEmpty();
    }

    [Fact]
    public async Task An_unknown_type_stops_its_partition_by_default_and_continues_when_it_is_skipped()
    {
        await using var service = await EmbeddedService.StartAsync();
        var seen = new ConcurrentQueue<string>();
        var subscription = await service.Kafka.SubscribeByTypeAsync("user-events", types => types.On<UserLogin>((login, _, _) =>
        {
            seen.Enqueue(login.UserId);
            return Task.CompletedTask;
        }));

        await service.SendAsync("user-events", """{"type":"X"}""", "a", partition: 0);
        await service.SendAsync("user-events", """{"type":"USER_LOGIN","userId":"1"}""", "a", partition: 0);
        await Waiting.Until(() => subscription.StoppedPartitions.Count == 1, "stopped");
        subscription.StoppedPartitions[0].Reason.Should().BeOfType<UnknownMessageTypeException>().Which.Type.Should().Be("X");
        await subscription.SkipFailedMessageAsync(subscription.StoppedPartitions[0].Partition);

        await Waiting.Until(() => seen.Count == 1, "what follows");
    }

    [Fact]
    public async Task The_inbox_knows_an_envelope_by_its_id_although_the_handler_takes_what_is_in_it()
    {
        await using var service = await EmbeddedService.StartAsync();
        var seen = new ConcurrentQueue<string>();
        await service.Kafka.SubscribeByTypeAsync(
            "user-events",
            types => types.On<UserLogin>((login, _, _) =>
            {
                seen.Enqueue(login.UserId);
                return Task.CompletedTask;
            }),
            configure: options => (options.Once.Enabled, options.Once.Inbox) = (true, new InMemoryInbox()));
        var envelope = MessageEnvelope.Create(new UserLogin("1"));

        await service.SendAsync("user-events", envelope, "a", partition: 0);
        await service.SendAsync("user-events", envelope, "a", partition: 0);
        await service.SendAsync("user-events", MessageEnvelope.Create(new UserLogin("2")), "a", partition: 0);
        await Waiting.Until(() => service.Committed("user-events") == 3, "all are finished");

        seen.Should().Equal("1", "2");
    }

    [Fact]
    public async Task A_batch_has_each_message_as_its_type_and_none_that_is_skipped_and_says_which_failed()
    {
        var seen = new ConcurrentQueue<string>();
        var builder = Builder();
        builder.Services.AddSingleton(seen);
        builder.Services.AddNaradKafka(options => (options.Mode, options.CommitInterval) = (KafkaMode.Embedded, TimeSpan.FromMilliseconds(50)))
            .AddBatchSubscription<Event, Batches>(
                "events",
                types => types.Derived<Opened>().Derived<Closed>("CLOSED").Otherwise(UnknownTypePolicy.Skip),
                group: "g",
                options =>
                {
                    options.MaxBatchSize = 5;
                    options.MaxBatchWait = TimeSpan.FromSeconds(30);
                    options.DeadLetter.Enabled = true;
                });
        using var host = builder.Build();
        await host.StartAsync();
        var kafka = host.Services.GetRequiredService<IKafkaService>();

        string[] sent =
        [
            """{"type":"X"}""", """{"type":"Opened","name":"a"}""", """{"type":"Y","type":"Opened"}""", """{"type":"CLOSED","name":"poison","code":7}""",
            """{"type":"CLOSED","name":"b","code":8}""",
        ];
        foreach (var message in sent)
        {
            await kafka.SendAsync("events", message, options: new SendOptions { Partition = 0 });
        }

        await Waiting.Until(async () => await kafka.DeadLetters.CountAsync("events-dlt") == 1, "the one that failed is a dead letter");
        foreach (var message in Enumerable.Repeat("""{"type":"CLOSED","name":"c","code":9}""", 4))
        {
            await kafka.SendAsync("events", message, options: new SendOptions { Partition = 0 });
        }

        await Waiting.Until(() => seen.Count(one => one.Contains("= c,")) == 4, "the next batch");
        seen.Take(2).Should().Equal("Opened { Name = a }", "Closed { Name = b, Code = 8 }");
        ((KafkaService)kafka).Groups.Sum(group => group.Metrics.UnknownTypes).Should().BeGreaterThanOrEqualTo(2);
        await host.StopAsync();
    }

    [Fact]
    public async Task Declarations_that_fit_no_batch_fail_the_start_and_are_named()
    {
        var builder = Builder();
        builder.Services.AddSingleton(new ConcurrentQueue<string>());
        builder.Services.AddNaradKafka(options => options.Mode = KafkaMode.Embedded).AddBatchSubscription<Event, Batches>(
            "events", types => types.On<Opened>((_, _, _) => Task.CompletedTask).Derived<UserLogin>().OnTombstone((_, _) => Task.CompletedTask), group: "g");
        using var host = builder.Build();

        var errors = (await host.Awaiting(it => it.StartAsync()).Should().ThrowAsync<KafkaConfigurationException>()).Which.Errors;

        errors.Should().HaveCount(3);
        errors[0].Should().Contain(nameof(Opened)).And.Contain("Derived");
        errors[1].Should().Contain("UserLogin (\"USER_LOGIN\") is no Event");
        errors[2].Should().Contain("OnTombstone");
    }

    private static HostApplicationBuilder Builder() =>
        Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = "Development" });

    [MessageType("USER_LOGIN")]
    internal sealed record UserLogin(string UserId);

    internal sealed record UserAction(string UserId, string Action);

    internal record Event(string Name);

    internal sealed record Opened(string Name) : Event(Name);

    internal sealed record Closed(string Name, int Code) : Event(Name);

    internal sealed class Batches(ConcurrentQueue<string> seen) : IBatchHandler<Event>
    {
        public Task HandleAsync(MessageBatch<Event> batch, CancellationToken cancellationToken)
        {
            for (var i = 0; i < batch.Items.Count; i++)
            {
                if (batch.Items[i].Message.Name == "poison")
                {
                    throw new BatchFailedException(i, new InvalidOperationException("poison"));
                }

                seen.Enqueue($"{batch.Items[i].Message}");
            }

            return Task.CompletedTask;
        }
    }

    internal sealed class ScopeId
    {
        public Guid Id { get; } = Guid.NewGuid();
    }

    internal sealed class Processor(ConcurrentQueue<string> seen, ScopeId scope) : IMessageHandler<UserLogin>, IMessageHandler<UserAction>
    {
        public Task HandleAsync(UserLogin message, MessageContext context, CancellationToken cancellationToken) => Note($"login {message.UserId}");

        public Task HandleAsync(UserAction message, MessageContext context, CancellationToken cancellationToken) => Note($"{message.Action} {message.UserId}");

        private Task Note(string what)
        {
            seen.Enqueue($"{what}@{scope.Id}");
            return Task.CompletedTask;
        }
    }

    internal sealed class Deleted(ConcurrentQueue<string> seen, ScopeId scope) : IMessageHandler<UserAction>
    {
        public Task HandleAsync(UserAction message, MessageContext context, CancellationToken cancellationToken)
        {
            seen.Enqueue($"deleted {context.Key}{message?.Action}@{scope.Id}");
            return Task.CompletedTask;
        }
    }

    internal sealed class Unknown(ConcurrentQueue<string> seen) : IMessageHandler<UnknownMessage>
    {
        public Task HandleAsync(UnknownMessage message, MessageContext context, CancellationToken cancellationToken)
        {
            seen.Enqueue($"unknown {message.Type}");
            return Task.CompletedTask;
        }
    }
}
