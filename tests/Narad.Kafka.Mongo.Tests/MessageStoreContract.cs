namespace Narad.Kafka.Mongo.Tests;

/// <summary>What every message store does.</summary>
[Trait("Promise", "S35")]
public abstract class MessageStoreContract : IAsyncLifetime
{
    private protected IMessageStore Store { get; set; } = null!;

    /// <summary>The variable that names the server; null where none is needed.</summary>
    private protected virtual string? Server => null;

    public abstract Task InitializeAsync();

    public abstract Task DisposeAsync();

    /// <summary>The offset of the stored message with this id; null where there is none.</summary>
    private protected abstract Task<long?> OffsetOfAsync(string id);

    private protected void SkipWithoutServer()
    {
        if (Server is { } variable)
        {
            TestDatabase.UriOf(variable);
        }
    }

    private protected static StoredMessage Message(string id, long offset, long version = 0, object? message = null) =>
        new(id, Document: null, message ?? new { Text = "hello" }, new MessageContext { Topic = "events", Partition = 0, Offset = offset, Key = id }, version);

    private protected async Task<IReadOnlyList<Exception?>> WriteAsync(MessageWriteMode mode, params StoredMessage[] messages)
    {
        var target = new MessageStoreTarget("events", mode);
        await Store.StartAsync(target, CancellationToken.None);
        var results = await Store.WriteAsync(target, messages, CancellationToken.None);
        results.Should().HaveCount(messages.Length);
        return results;
    }

    [SkippableFact]
    public async Task Inserted_if_absent_the_first_one_stays()
    {
        SkipWithoutServer();
        (await WriteAsync(MessageWriteMode.InsertIfAbsent, Message("a", 1), Message("b", 2), Message("a", 3))).Should()
            .OnlyContain(static error => error == null);
        (await WriteAsync(MessageWriteMode.InsertIfAbsent, Message("b", 4), Message("c", 5))).Should().OnlyContain(static error => error == null);

        (await OffsetOfAsync("a"), await OffsetOfAsync("b"), await OffsetOfAsync("c")).Should().Be((1L, 2L, 5L));
    }

    [SkippableFact]
    public async Task Replaced_the_last_one_stays()
    {
        SkipWithoutServer();
        (await WriteAsync(MessageWriteMode.Replace, Message("a", 1), Message("b", 2), Message("a", 3))).Should().OnlyContain(static error => error == null);
        (await WriteAsync(MessageWriteMode.Replace, Message("b", 4))).Should().OnlyContain(static error => error == null);

        (await OffsetOfAsync("a"), await OffsetOfAsync("b")).Should().Be((3L, 4L));
    }

    [SkippableFact]
    public async Task Replaced_if_newer_the_highest_version_stays_and_of_equal_ones_the_first()
    {
        SkipWithoutServer();
        (await WriteAsync(MessageWriteMode.ReplaceIfNewer, Message("a", 1, version: 5), Message("a", 2, version: 7), Message("a", 3, version: 6),
            Message("b", 4, version: 1)))
            .Should().OnlyContain(static error => error == null);
        (await WriteAsync(MessageWriteMode.ReplaceIfNewer, Message("a", 5, version: 7), Message("b", 6, version: 2))).Should()
            .OnlyContain(static error => error == null);
        (await WriteAsync(MessageWriteMode.ReplaceIfNewer, Message("a", 7, version: 3))).Should().OnlyContain(static error => error == null);

        (await OffsetOfAsync("a"), await OffsetOfAsync("b")).Should().Be((2L, 6L));
    }

    [SkippableFact]
    public async Task A_cancelled_write_is_a_cancellation()
    {
        SkipWithoutServer();
        var writing = () => Store.WriteAsync(new MessageStoreTarget("events"), [Message("a", 1)], new CancellationToken(canceled: true));

        await writing.Should().ThrowAsync<OperationCanceledException>();
        (await OffsetOfAsync("a")).Should().BeNull();
    }

    [SkippableTheory]
    [InlineData(MessageWriteMode.InsertIfAbsent)]
    [InlineData(MessageWriteMode.Replace)]
    [InlineData(MessageWriteMode.ReplaceIfNewer)]
    public async Task Two_writers_of_the_same_ids_at_once_refuse_each_other_nothing(MessageWriteMode mode)
    {
        SkipWithoutServer();
        var writers = await Task.WhenAll(Enumerable.Range(0, 4).Select(writer => Task.Run(() =>
            WriteAsync(mode, [.. Enumerable.Range(0, 40).Select(i => Message($"id-{(i + (writer * 7)) % 40}", i, version: writer))]))));

        writers.SelectMany(static results => results).Should().OnlyContain(static error => error == null);
        (await OffsetOfAsync("id-0")).Should().NotBeNull();
        if (mode is MessageWriteMode.ReplaceIfNewer)
        {
            (await OffsetOfAsync("id-0")).Should().Be(19, "the writer with the highest version has id-0 at offset (40 - 21) % 40");
        }
    }
}
