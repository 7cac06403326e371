namespace Narad.Kafka.Testing.Tests;

/// <summary>A handler is tested without a broker.</summary>
public sealed class TestContextTests
{
    [Fact]
    public async Task A_handler_runs_on_a_made_up_context()
    {
        var handler = new Remember();
        await handler.HandleAsync(
            "hello", TestMessageContext.Create(topic: "orders", key: "42", headers: new MessageHeaders().Add("tenant", "a"), partition: 3, offset: 7), default);

        handler.Context!.Topic.Should().Be("orders");
        handler.Context.Key.AsText().Should().Be("42");
        handler.Context.Headers.GetText("tenant").Should().Be("a");
        (handler.Context.Partition, handler.Context.Offset, handler.Context.Attempt).Should().Be((3, 7, 1));
        handler.Context.Group.Should().Be("test-group");
    }

    [Fact]
    public void A_context_says_which_message_it_is_and_nothing_of_its_content()
    {
        var context = TestMessageContext.Create("orders", key: "hunter2", partition: 3, offset: 7, rawValue: "hunter2"u8.ToArray());

        context.ToString().Should().Be("orders[3]@7, group 'test-group', attempt 1");
        new MessageContext { Topic = "t" }.ToString().Should().Be("t[0]@0, attempt 1");
    }

    private sealed class Remember : IMessageHandler<string>
    {
        public MessageContext? Context { get; private set; }

        public Task HandleAsync(string message, MessageContext context, CancellationToken cancellationToken)
        {
            Context = context;
            return Task.CompletedTask;
        }
    }
}
