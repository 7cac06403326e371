using System.Collections.Concurrent;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>What every inbox does.</summary>
[Trait("Promise", "S36")]
public abstract class InboxContract : IAsyncLifetime
{
    private protected static readonly TimeSpan Retention = TimeSpan.FromDays(1);

    private protected IInbox Inbox { get; set; } = null!;

    /// <summary>The variable that names the server; null where none is needed.</summary>
    private protected virtual string? Server => null;

    public abstract Task InitializeAsync();

    public abstract Task DisposeAsync();

    private protected static InboxMessage Message(string id = "m-1", string group = "g", string topic = "orders", long offset = 7,
        TimeSpan? retention = null) =>
        new(group, topic, id, new TopicPartitionOffsetId(topic, 3, offset), retention ?? Retention);

    private protected Task<InboxGuarantee> StartAsync() => Inbox.StartAsync(new InboxSubscription("orders", "g", null, Retention), CancellationToken.None);

    private protected void SkipWithoutServer()
    {
        if (Server is { } variable)
        {
            TestDatabase.UriOf(variable);
        }
    }

    // As the consumer does: what is busy is asked again.
    private protected async Task<InboxResult> UntilDoneAsync(InboxMessage message, Func<object?, CancellationToken, Task> handler)
    {
        while (true)
        {
            var result = await Inbox.HandleAsync(message, handler, CancellationToken.None);
            if (result.Kind is not InboxResultKind.Busy)
            {
                return result;
            }

            result.RetryAfter.Should().BePositive();
            await Task.Delay(result.RetryAfter);
        }
    }

    [SkippableFact]
    public async Task A_message_is_handled_once_and_the_first_coordinates_are_told()
    {
        SkipWithoutServer();
        var calls = 0;
        Task Count(object? session, CancellationToken token)
        {
            calls++;
            return Task.CompletedTask;
        }

        (await Inbox.HandleAsync(Message(), Count, CancellationToken.None)).Kind.Should().Be(InboxResultKind.Handled);
        var again = await Inbox.HandleAsync(Message(offset: 8), Count, CancellationToken.None);

        again.Kind.Should().Be(InboxResultKind.AlreadyHandled);
        again.First.Should().Be(new TopicPartitionOffsetId("orders", 3, 7));
        calls.Should().Be(1);
    }

    [SkippableFact]
    public async Task A_failed_handler_leaves_nothing_noted_and_its_exception_passes_unchanged()
    {
        SkipWithoutServer();
        var thrown = new InvalidDataException("no");
        var handling = () => Inbox.HandleAsync(Message(), (_, _) => throw thrown, CancellationToken.None);

        (await handling.Should().ThrowAsync<InvalidDataException>()).Which.Should().BeSameAs(thrown);
        (await UntilDoneAsync(Message(), static (_, _) => Task.CompletedTask)).Kind.Should().Be(InboxResultKind.Handled);
    }

    [SkippableFact]
    public async Task Other_groups_and_other_topics_have_ids_of_their_own()
    {
        SkipWithoutServer();
        foreach (var message in new[] { Message(), Message(group: "h"), Message(topic: "invoices") })
        {
            (await Inbox.HandleAsync(message, static (_, _) => Task.CompletedTask, CancellationToken.None)).Kind.Should().Be(InboxResultKind.Handled);
        }
    }

    [SkippableFact]
    public async Task Of_several_at_once_one_is_handled_and_none_runs_beside_another()
    {
        SkipWithoutServer();
        var running = 0;
        var overlapped = false;
        var calls = 0;
        var results = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Task.Run(() => UntilDoneAsync(Message(offset: i), async (_, token) =>
        {
            overlapped |= Interlocked.Increment(ref running) > 1;
            Interlocked.Increment(ref calls);
            await Task.Delay(30, token);
            Interlocked.Decrement(ref running);
        }))));

        results.Count(static result => result.Kind is InboxResultKind.Handled).Should().Be(1);
        calls.Should().Be(1);
        overlapped.Should().BeFalse();
    }

    [SkippableFact]
    public async Task Of_several_at_once_another_one_is_handled_where_the_first_fails()
    {
        SkipWithoutServer();
        var calls = 0;
        var results = new ConcurrentBag<InboxResultKind>();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Task.Run(async () =>
        {
            try
            {
                results.Add((await UntilDoneAsync(Message(offset: i), (_, _) => Interlocked.Increment(ref calls) == 1 ? throw new InvalidDataException()
                    : Task.CompletedTask)).Kind);
            }
            catch (InvalidDataException)
            {
                // The first one.
            }
        })));

        calls.Should().Be(2);
        results.Should().HaveCount(3).And.ContainSingle(static kind => kind == InboxResultKind.Handled);
    }

    [SkippableFact]
    public async Task What_has_expired_is_handled_again()
    {
        SkipWithoutServer();
        var calls = 0;
        await Waiting.UntilAsync(
            async () =>
            {
                await UntilDoneAsync(Message(retention: TimeSpan.FromSeconds(1)), (_, _) =>
                {
                    calls++;
                    return Task.CompletedTask;
                });
                return calls > 1;
            },
            "the note expired");

        calls.Should().Be(2);
    }

    [SkippableFact]
    public async Task A_cancelled_handler_is_a_cancellation_and_leaves_nothing_noted()
    {
        SkipWithoutServer();
        using var cancellation = new CancellationTokenSource();
        var handling = () => Inbox.HandleAsync(Message(), async (_, token) =>
        {
            await cancellation.CancelAsync();
            token.ThrowIfCancellationRequested();
        }, cancellation.Token);

        await handling.Should().ThrowAsync<OperationCanceledException>();
        (await UntilDoneAsync(Message(), static (_, _) => Task.CompletedTask)).Kind.Should().Be(InboxResultKind.Handled);
    }
}
