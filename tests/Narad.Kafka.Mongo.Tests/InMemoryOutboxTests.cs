namespace Narad.Kafka.Mongo.Tests;

[Trait("Promise", "S37")]
public sealed class InMemoryOutboxTests : OutboxContract
{
    public override async Task InitializeAsync()
    {
        Store = new InMemoryOutboxStore();
        (await Store.StartAsync(TimeSpan.FromDays(1), CancellationToken.None)).Should().Be(OutboxGuarantee.AtLeastOnce);
    }

    public override Task DisposeAsync() => Task.CompletedTask;

    private protected override IOutboxStore OtherStore() => Store;

    [Fact]
    public async Task Dispatched_messages_expire_and_pending_ones_do_not()
    {
        await Store.StartAsync(TimeSpan.Zero, CancellationToken.None);
        var message = await EnqueueAsync();
        var lease = await AcquireAsync();
        await Store.MarkDispatchedAsync(lease, await ReadAsync(lease), CancellationToken.None);
        var later = await EnqueueAsync();

        ((InMemoryOutboxStore)Store).Dispatched.Should().BeEmpty().And.NotContain(message);
        (await ReadAsync(lease)).Should().ContainSingle().Which.Message.Should().Be(later);
    }
}
