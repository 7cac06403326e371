using System.Runtime.InteropServices;
using Narad.Kafka;
using QuickStart;
using QuickStart.Screen;

// Ctrl-C and SIGTERM stop the run cleanly; a second one ends the process at once.
using var stop = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);

return await App.RunAsync(args, options => new KafkaService(options), Terminal.Standard(), stop.Token);

void Stop(PosixSignalContext signal)
{
    signal.Cancel = !stop.IsCancellationRequested;
    if (!signal.Cancel)
    {
        Console.Error.WriteLine("Ended at once: what ran was not finished.");
    }

    stop.Cancel();
}
