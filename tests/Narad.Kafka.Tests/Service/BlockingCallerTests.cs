using System.Collections.Concurrent;

namespace Narad.Kafka.Tests.Service;

/// <summary>
/// A caller that blocks on the public API under a synchronization context of one thread gets its answers: nothing comes back to that context.
/// </summary>
public sealed class BlockingCallerTests
{
    [Fact]
    public async Task Blocking_on_the_public_API_under_a_context_of_one_thread_does_not_deadlock()
    {
        await using var broker = new EmbeddedBrokerOfTest();
        using var context = new OneThread();

        var calls = context.Run(() =>
        {
            var options = new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = broker.Broker, CommitInterval = TimeSpan.FromMilliseconds(50) };
            options.SendMiddleware.Add(new PassOn());
            options.Serializer = new SlowText();
            var kafka = new KafkaService(options);
            Wait(kafka.ConnectProducerAsync());
            Wait(kafka.ConnectConsumerAsync("g"));
            var handled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var subscription = Wait(kafka.SubscribeAsync<string>(
                "orders",
                (message, _, _) =>
                {
                    if (message == "fails")
                    {
                        throw new InvalidOperationException("as it should");
                    }

                    handled.TrySetResult();
                    return Task.CompletedTask;
                },
                configure: one => one.DeadLetter.Enabled = true));
            Wait(kafka.SendAsync("orders", "fails").AsTask());
            Wait(kafka.SendAsync("orders", new Order(1)).AsTask());
            Wait(kafka.SendManyAsync("orders", ["a", "b"]));
            Wait(kafka.SendTombstoneAsync("orders", "k").AsTask());
            Wait(handled.Task);
            Wait(kafka.Topics.CreateIfNotExistsAsync([new TopicSpec("users", 2)]));
            Wait(kafka.Topics.GetPartitionCountsAsync(["orders", "users"]));
            Wait(kafka.Topics.GetDetailsAsync("orders"));
            Wait(kafka.Topics.GetCommittedOffsetsAsync("g", "orders"));
            Wait(kafka.DeadLetters.CountAsync("orders-dlt"));
            Wait(kafka.DeadLetters.GetPageAsync("orders-dlt"));
            Wait(kafka.DeadLetters.RedriveAsync("orders-dlt"));
            Wait(kafka.DeadLetters.DeleteAllAsync("orders-dlt"));
            Wait(subscription.PauseAllAsync());
            Wait(subscription.ResumeAllAsync());
            Wait(subscription.SeekToBeginningAsync());
            Wait(subscription.StopAsync());
            Wait(kafka.Topics.DeleteAsync(["users"]));
            Wait(new KafkaDoctor(options).ExamineAsync());
            Wait(kafka.DisconnectAsync());
            Wait(kafka.DisposeAsync().AsTask());
        });

        await calls.WaitAsync(TimeSpan.FromMinutes(2));
        context.Posted.Should().Be(0, "nothing asked for the caller's thread");
    }

    private static void Wait(Task task)
    {
        if (!task.Wait(Waiting.Deadline))
        {
            throw new TimeoutException("The call waits for the thread that waits for it.");
        }
    }

    private static T Wait<T>(Task<T> task)
    {
        Wait((Task)task);
        return task.Result;
    }

    private sealed record Order(int Id);

    private sealed class EmbeddedBrokerOfTest : IAsyncDisposable
    {
        public EmbeddedBroker Broker { get; } = EmbeddedBroker.Start();

        public ValueTask DisposeAsync()
        {
            Broker.Dispose();
            return ValueTask.CompletedTask;
        }
    }

    private sealed class PassOn : ISendMiddleware
    {
        public async ValueTask<SendResult> SendAsync(OutgoingMessage message, SendDelegate next, CancellationToken cancellationToken)
        {
            await Task.Delay(1, cancellationToken).ConfigureAwait(false);
            return await next(message, cancellationToken).ConfigureAwait(false);
        }
    }

    private sealed class SlowText : IMessageSerializer
    {
        public async ValueTask<byte[]> SerializeAsync(object message, Type type, string topic, MessageHeaders headers, CancellationToken cancellationToken)
        {
            await Task.Delay(1, cancellationToken).ConfigureAwait(false);
            return "text"u8.ToArray();
        }
    }

    /// <summary>What a user interface or an older ASP.NET has: continuations run on one thread, which the caller blocks.</summary>
    private sealed class OneThread : SynchronizationContext, IDisposable
    {
        private readonly BlockingCollection<Action> _work = [];
        private int _posted;

        public int Posted => Volatile.Read(ref _posted);

        public override void Post(SendOrPostCallback d, object? state)
        {
            Interlocked.Increment(ref _posted);
            _work.TryAdd(() => d(state));
        }

        public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException();

        public Task Run(Action action)
        {
            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var thread = new Thread(() =>
            {
                SetSynchronizationContext(this);
                try
                {
                    action();
                    done.SetResult();
                }
                catch (Exception error)
                {
                    done.SetException(error);
                }
            })
            { IsBackground = true };
            thread.Start();
            return done.Task;
        }

        public void Dispose() => _work.Dispose();
    }
}
