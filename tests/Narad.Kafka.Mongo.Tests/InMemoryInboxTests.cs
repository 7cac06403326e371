namespace Narad.Kafka.Mongo.Tests;

public sealed class InMemoryInboxTests : InboxContract
{
    public override async Task InitializeAsync()
    {
        Inbox = new InMemoryInbox();
        (await StartAsync()).Should().Be(InboxGuarantee.AtLeastOnce);
    }

    public override Task DisposeAsync() => Task.CompletedTask;
}
