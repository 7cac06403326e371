using Confluent.Kafka;

namespace Narad.Kafka.Tests.OwnProcess;

/// <summary>A service in Embedded mode whose broker goes away, hangs, and refuses, while it sends and reads.</summary>
internal static class HangingEmbeddedBroker
{
    public static async Task<int> RunAsync(string[] arguments)
    {
        using var broker = EmbeddedBroker.Start();
        broker.CreateTopic("orders", 2);
        var handled = 0;
        var options = new KafkaOptions
        {
            Mode = KafkaMode.Embedded, EmbeddedBroker = broker, ConsumerGroupId = "g", ProbeInterval = TimeSpan.FromMilliseconds(100),
                SendTimeout = TimeSpan.FromSeconds(60), ShutdownTimeout = TimeSpan.FromSeconds(5),
        };
        await using var kafka = new KafkaService(options);
        await kafka.ConnectProducerAsync();
        await kafka.ConnectConsumerAsync("g");
        await kafka.SubscribeAsync<string>("orders", (_, _, _) =>
        {
            Interlocked.Increment(ref handled);
            return Task.CompletedTask;
        });

        var sent = 0;
        foreach (var (name, begin, end) in ((string, Action, Action)[])
        [
            ("down", () => broker.StopBroker(), () => broker.StartBroker()),
            ("hanging", () => broker.SetLatency(TimeSpan.FromMinutes(1)), () => broker.SetLatency(TimeSpan.Zero)),
            ("closing", () => broker.FailNext(KafkaRequest.Metadata, [.. Enumerable.Repeat(ErrorCode.Local_Transport, 20)]), () =>
                broker.ClearFailures(KafkaRequest.Metadata)),
        ])
        {
            begin();
            if (name is not "closing")
            {
                await Waiting.Until(() => !kafka.IsConnected, $"{name}: noticed");
            }

            var send = kafka.SendAsync("orders", "x", $"{sent++}").AsTask();
            end();
            await send.WaitAsync(TimeSpan.FromSeconds(60));
            await Waiting.Until(() => kafka.IsConnected, $"{name}: connected again");
            await Waiting.Until(() => Volatile.Read(ref handled) >= sent, $"{name}: handled");
            Console.WriteLine(name);
        }

        Console.WriteLine("survived");
        return 0;
    }
}
