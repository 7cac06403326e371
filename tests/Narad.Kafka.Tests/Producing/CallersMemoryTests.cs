using System.Globalization;
using System.Text;

namespace Narad.Kafka.Tests.Producing;

/// <summary>The bytes at the time of the call are sent: the caller may use its arrays again as soon as <c>SendAsync</c> has returned.</summary>
public sealed class CallersMemoryTests
{
    private const int Sends = 50;

    private static readonly string[] Expected = [.. Enumerable.Range(0, Sends).Select(Text)];

    [Fact, Trait("Promise", "S1")]
    public async Task Sends_that_wait_have_the_bytes_of_the_call()
    {
        var clients = new ScriptedClients { Capacity = 1 };
        await using var sending = await Sending.ConnectAsync(clients);

        await RefillAsync(sending, clients, (buffer, options) => sending.SendAsync("t", buffer, buffer, options));

        clients.Last.TakenWhole.Should().Equal(Expected.Select(text => $"{text}|{text}|{text}"));
    }

    [Fact, Trait("Promise", "S1")]
    public async Task Memory_is_the_callers_too()
    {
        var clients = new ScriptedClients { Capacity = 1 };
        await using var sending = await Sending.ConnectAsync(clients);

        await RefillAsync(sending, clients, (buffer, options) => sending.SendAsync<ReadOnlyMemory<byte>>("t", buffer, default, options));

        clients.Last.Taken.Should().Equal(Expected);
    }

    [Fact, Trait("Promise", "S1")]
    public async Task Sends_whose_middleware_is_at_work_have_the_bytes_of_the_call()
    {
        var clients = new ScriptedClients();
        var middleware = new Waiting();
        await using var sending = await Sending.ConnectAsync(clients, options => options.SendMiddleware.Add(middleware));

        await RefillAsync(sending, clients, (buffer, options) => sending.SendAsync("t", buffer, buffer, options), middleware.Go.SetResult);

        clients.Last.TakenWhole.Should().Equal(Expected.Select(text => $"{text}|{text}|{text}"));
    }

    [Fact, Trait("Promise", "S1")]
    public async Task Sends_whose_serializer_is_at_work_have_key_and_headers_of_the_call()
    {
        var clients = new ScriptedClients();
        var serializer = new Slow();
        await using var sending = await Sending.ConnectAsync(clients, options => options.Serializer = serializer);
        var number = 0;

        await RefillAsync(sending, clients, (buffer, options) => sending.SendAsync("t", new Numbered(number++), buffer, options), serializer.Go.SetResult);

        clients.Last.TakenWhole.Should().Equal(Expected.Select(text => $"{text}|{text}|{text}"));
    }

    [Fact, Trait("Promise", "S1")]
    public async Task A_buffer_that_is_used_again_after_its_send_was_cancelled_is_not_read()
    {
        var clients = new ScriptedClients { Capacity = 1 };
        await using var sending = await Sending.ConnectAsync(clients);
        await FirstAsync(sending, clients);
        var ahead = sending.SendAsync("t", "ahead").AsTask();
        using var cancellation = new CancellationTokenSource();
        var buffer = "whole"u8.ToArray();
        var cancelled = sending.SendAsync("t", buffer, ct: cancellation.Token).AsTask();
        await cancellation.CancelAsync();
        await cancelled.Invoking(send => send).Should().ThrowAsync<OperationCanceledException>();
        buffer.AsSpan().Fill((byte)'x');
        var last = sending.SendAsync("t", buffer).AsTask();
        buffer.AsSpan().Clear();

        await AnswerAllAsync(clients, [ahead, last]);

        clients.Last.Taken.Should().Equal("first", "ahead", "xxxxx");
    }

    [Fact]
    public async Task What_is_handed_over_at_once_is_not_copied()
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients);
        await FirstAsync(sending, clients);
        var buffer = "as it is"u8.ToArray();

        var sent = sending.SendAsync("t", buffer, buffer).AsTask();

        clients.Last.LastPayload.Should().BeSameAs(buffer);
        await AnswerAllAsync(clients, [sent]);
    }

    private static async Task RefillAsync(Sending sending, ScriptedClients clients, Func<byte[], SendOptions, ValueTask<SendResult>> send, Action? go = null)
    {
        var buffer = new byte[4];
        var sends = new List<Task<SendResult>>();
        for (var i = 0; i < Sends; i++)
        {
            Encoding.UTF8.GetBytes(Text(i), buffer);
            sends.Add(send(buffer, new SendOptions { Headers = new MessageHeaders().Add("h", buffer) }).AsTask());
        }

        buffer.AsSpan().Clear();
        go?.Invoke();
        await AnswerAllAsync(clients, sends);
    }

    private static string Text(int number) => number.ToString("D4", CultureInfo.InvariantCulture);

    // The first of a topic waits until the topic's limit is known.
    private static Task FirstAsync(Sending sending, ScriptedClients clients) => AnswerAllAsync(clients, [sending.SendAsync("t", "first").AsTask()]);

    private static Task AnswerAllAsync(ScriptedClients clients, List<Task<SendResult>> sends) => Sending.Until(
        () =>
        {
            clients.Last.Report();
            return sends.TrueForAll(send => send.IsCompleted);
        },
        "all answers");

    private sealed record Numbered(int Number);

    private sealed class Waiting : ISendMiddleware
    {
        public TaskCompletionSource Go { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken)
        {
            await Go.Task;
            return await next(message, cancellationToken);
        }
    }

    private sealed class Slow : IMessageSerializer
    {
        public TaskCompletionSource Go { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async ValueTask<byte[]> SerializeAsync(object message, Type type, string topic, MessageHeaders headers, CancellationToken cancellationToken)
        {
            await Go.Task;
            return Encoding.UTF8.GetBytes(Text(((Numbered)message).Number));
        }
    }
}
