// A program of its own for tests of what a process does when it uses the mode Kafka only: it sends messages to a topic, consumes them, and examines the
// connection. It writes every line that the library logs, and what the doctor says.
//
//   BROKERS TOPIC            Confluent.Kafka finds its library by itself
//   BROKERS TOPIC alpine     it binds to the library's name on Alpine
//   BROKERS TOPIC FILE       the application resolves the library to this file
using System.Reflection;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Narad.Kafka;
using Narad.Kafka.Tests;

const int Messages = 100;
switch (args)
{
    case [_, _, "alpine"]:
        // What Confluent.Kafka does by itself where /etc/os-release says Alpine.
        var client = typeof(Confluent.Kafka.Library).Assembly.GetType("Confluent.Kafka.Impl.Librdkafka", throwOnError: true)!;
        const BindingFlags Private = BindingFlags.NonPublic | BindingFlags.Static;
        var names = client.Assembly.GetType("Confluent.Kafka.Impl.NativeMethods.NativeMethods_Alpine", throwOnError: true)!;
        if (client.GetMethod("SetDelegates", Private)!.Invoke(null, [names]) is not true)
        {
            throw new DllNotFoundException("alpine-librdkafka");
        }

        client.GetField("isInitialized", Private)!.SetValue(null, true);
        break;

    case [_, _, var file]:
        NativeLibrary.SetDllImportResolver(typeof(Confluent.Kafka.Library).Assembly, (_, _, _) => NativeLibrary.Load(file));
        break;
}

using var loggers = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.Debug).AddProvider(new ConsoleLines()));
var options = new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = args[0] };
await using (var kafka = new KafkaService(options, loggers))
{
    await kafka.ConnectProducerAsync();
    await kafka.ConnectConsumerAsync("group-of-its-own");
    var left = Messages;
    var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    await kafka.SubscribeAsync<string>(args[1], (_, _, _) =>
    {
        if (Interlocked.Decrement(ref left) == 0)
        {
            done.SetResult();
        }

        return Task.CompletedTask;
    });
    await kafka.SendManyAsync(args[1], Enumerable.Range(0, Messages).Select(n => $"{n}"));
    await done.Task.WaitAsync(TimeSpan.FromMinutes(1));
    await kafka.DisconnectAsync();
}

var report = await new KafkaDoctor(options).ExamineAsync();
report.WriteTo(Console.Out);
Console.WriteLine($"sent and consumed {Messages} messages");
