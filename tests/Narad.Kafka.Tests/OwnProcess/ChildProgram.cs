using Narad.Kafka.Shared;
using Narad.Kafka.Tests.OwnProcess;

if (args is not ["--child", var name, .. var arguments] || !Children.All.TryGetValue(name, out var child))
{
    return 2;
}

var unobserved = 0;
TaskScheduler.UnobservedTaskException += (_, failed) =>
{
    Interlocked.Increment(ref unobserved);
    Console.WriteLine($"UNOBSERVED {failed.Exception}");
};
EndWithParent.Watch();
var exitCode = await child(arguments);
for (var i = 0; i < 3; i++)
{
    GC.Collect();
    GC.WaitForPendingFinalizers();
}

return exitCode == 0 && Volatile.Read(ref unobserved) > 0 ? ChildProcess.Unobserved : exitCode;
