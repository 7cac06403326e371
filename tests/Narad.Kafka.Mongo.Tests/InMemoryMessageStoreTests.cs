namespace Narad.Kafka.Mongo.Tests;

public sealed class InMemoryMessageStoreTests : MessageStoreContract
{
    private readonly InMemoryMessageStore _store = new();

    public override Task InitializeAsync()
    {
        Store = _store;
        return Task.CompletedTask;
    }

    public override Task DisposeAsync() => Task.CompletedTask;

    private protected override Task<long?> OffsetOfAsync(string id) =>
        Task.FromResult(_store.MessagesOf("events").Where(message => message.Id == id).Select(static message => (long?)message.Context.Offset)
            .SingleOrDefault());
}
