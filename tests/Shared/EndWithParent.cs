namespace Narad.Kafka.Shared;

/// <summary>Ends a process that a test started when the test's process is gone, also where that was killed and could not end it.</summary>
internal static class EndWithParent
{
    /// <summary>The exit code of a process that was left alone.</summary>
    public const int ExitCode = 86;

    /// <summary>Ends this process at the end of its standard input, which the parent redirects and keeps open. Called first, or after the last line was
    /// read.</summary>
    public static void Watch() => new Thread(static () =>
    {
        while (Console.Read() >= 0)
        {
            // Nothing is ever said.
        }

        Environment.Exit(ExitCode);
    })
    { IsBackground = true }.Start();
}
