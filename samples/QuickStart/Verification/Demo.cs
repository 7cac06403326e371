using System.Diagnostics;
using Narad.Kafka;
using QuickStart.Verification.Recording;
using QuickStart.Verification.Input;

namespace QuickStart.Verification;

/// <summary>
/// What this sample shows: connect, subscribe, send. Everything else in this project reads the input, records what proves
/// nothing was lost, or draws. Thread-safe, as handlers must be: the recorder and the log are.
/// </summary>
internal sealed class Demo(IKafkaService kafka, DemoArguments arguments, Recorder recorder, HandledLog? log)
{
    public async Task<ISubscription> StartAsync(CancellationToken cancellationToken)
    {
        await kafka.Init().ConnectProducerAsync(cancellationToken);
        await kafka.ConnectConsumerAsync(arguments.Group, cancellationToken);

        // Up to 32 handlers run at once, yet those of one user never overlap and never change places.
        return await kafka.SubscribeAsync<byte[]>(
            arguments.Topic,
            HandleAsync,
            configure: subscription => { subscription.Parallelism = 32; subscription.Order = MessageOrder.ByKey; },
            cancellationToken: cancellationToken);
    }

    // Not awaited one by one: the order is fixed when SendAsync is called, and the broker acknowledges many at a time.
    public async Task SendAsync(InputLine line, CancellationToken cancellationToken)
    {
        recorder.Sending();
        var options = new SendOptions { Headers = recorder.Stamp(line.Number) };
        var written = await kafka.SendAsync(arguments.Topic, line.Value, line.Key, options, cancellationToken);
        recorder.Acknowledged(line.Number, written);
    }

    private async Task HandleAsync(byte[] message, MessageContext context, CancellationToken cancellationToken)
    {
        var entered = Stopwatch.GetTimestamp();
        if (arguments.HandleDelay > TimeSpan.Zero)
        {
            await Task.Delay(arguments.HandleDelay, cancellationToken);
        }

        var stamp = RunStamp.Read(context.Headers);
        log?.Write(context, stamp);
        recorder.Handled(context.Key, stamp, entered);
        recorder.Handled(context.Partition, context.Offset);

        // Returning finishes the message: only now may its offset be committed. Throwing would stop its partition here, loudly.
    }
}
