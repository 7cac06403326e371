using Narad.Kafka.Tests.Failures;

namespace Narad.Kafka.Tests.Producing;

/// <summary>What of the application throws while a message is sent fails that message, by name, and holds no other message of the topic up.</summary>
public sealed class HostileSendersTests
{
    public static TheoryData<string> Places =>
        ["serializer", "serializer later", "serializer answers null", "serializer answers null later", "middleware before", "middleware later"];

    [Theory, Trait("Promise", "S2")]
    [MemberData(nameof(Places))]
    public async Task A_message_that_application_code_fails_fails_alone(string place)
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients, options =>
        {
            options.Serializer = new Serializer(place);
            if (place.StartsWith("middleware", StringComparison.Ordinal))
            {
                options.SendMiddleware.Add(new Middleware(place));
            }
        });

        var bad = sending.SendAsync("t", new Text("bad"), "k").AsTask();
        var good = sending.SendAsync("t", new Text("good"), "k").AsTask();
        await AnswerAsync(clients, bad, good);

        (await good).Topic.Should().Be("t");
        var failure = bad.Exception!.InnerException!;
        if (!place.StartsWith("middleware", StringComparison.Ordinal))
        {
            failure.Should().BeOfType<KafkaSendException>().Which.Message.Should().Contain("could not be serialized");
        }

        clients.Last.Taken.Should().Equal("good");
        sending.Producer.InFlight.Should().Be(0);
    }

    [Fact, Trait("Promise", "S2")]
    public async Task A_key_selector_that_throws_fails_its_message_and_the_others_are_sent()
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients);

        var sent = sending.Producer.SendManyAsync(
            "t", ["1", "bad", "3"], message =>
                message == "bad" ? throw new HostileException(HostileException.Fault.AllThrow) : message, options: null, default);
        await AnswerAsync(clients, sent);

        var failure = sent.Exception!.InnerException.Should().BeOfType<KafkaSendManyException>().Which;
        failure.Failures.Should().ContainSingle().Which.Key.Should().Be(1);
        clients.Last.Taken.Should().Equal("1", "3");
    }

    private static Task AnswerAsync(ScriptedClients clients, params Task[] sends) => Sending.Until(
        () =>
        {
            clients.Last.Report();
            return Array.TrueForAll(sends, static send => send.IsCompleted);
        },
        "all answers");

    private sealed record Text(string Value);

    private sealed class Serializer(string place) : IMessageSerializer
    {
        public ValueTask<byte[]> SerializeAsync(object message, Type type, string topic, MessageHeaders headers, CancellationToken cancellationToken) =>
            ((Text)message, place) switch
        {
            ({ Value: "bad" }, "serializer") => throw new HostileException(HostileException.Fault.AllThrow),
            ({ Value: "bad" }, "serializer answers null") => new((byte[])null!),
            ({ Value: "bad" }, "serializer later" or "serializer answers null later") => LaterAsync(),
            _ => new(System.Text.Encoding.UTF8.GetBytes(((Text)message).Value)),
        };

        private async ValueTask<byte[]> LaterAsync()
        {
            await Task.Yield();
            return place == "serializer later" ? throw new HostileException(HostileException.Fault.AllThrow) : null!;
        }
    }

    private sealed class Middleware(string place) : ISendMiddleware
    {
        public async ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken)
        {
            if (message.Message is Text { Value: "bad" } && place.StartsWith("middleware", StringComparison.Ordinal))
            {
                if (place == "middleware later")
                {
                    await Task.Yield();
                }

                throw new HostileException(HostileException.Fault.AllThrow);
            }

            return await next(message, cancellationToken);
        }
    }
}
