using System.Diagnostics;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>Makes one of the servers fail and come back, with the command that <c>NARAD_TEST_MONGODB_CONTROL</c> names:
/// <c>COMMAND [--replica-set] kill|start|pause|resume</c>. Disposing it lets the server work again. Used by tests that run alone.</summary>
internal sealed class ServerControl : IAsyncDisposable
{
    /// <summary>Asks for the tests that kill servers, and many processes.</summary>
    public const string Kills = "NARAD_TEST_KILLS";

    private const string Variable = "NARAD_TEST_MONGODB_CONTROL";

    private readonly string _command;
    private readonly string[] _server;
    private string? _repair;

    private ServerControl(string command, string server)
    {
        _command = command;
        _server = server is TestDatabase.ReplicaSet ? ["--replica-set"] : [];
    }

    /// <summary>Skips the test where the variable names no command.</summary>
    public static ServerControl Of(string server)
    {
        var command = Environment.GetEnvironmentVariable(Variable);
        Skip.If(string.IsNullOrEmpty(command), $"{Variable} names no command that kills, starts, pauses and resumes a MongoDB server.");
        return new ServerControl(command!, server);
    }

    /// <summary>As <see cref="Of"/>, for tests that kill the server: only where they are asked for. A process that the kill leaves behind may hold up the
    /// next start for minutes.</summary>
    public static ServerControl ForKills(string server)
    {
        Skip.If(string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Kills)), $"{Kills} is not set: a killed server may take minutes to start again.");
        return Of(server);
    }

    /// <summary>SIGKILL.</summary>
    public Task KillAsync() => RunAsync("kill", repair: "start");

    public Task StartAsync() => RunAsync("start", repair: null);

    /// <summary>SIGSTOP: connections stay open, and nothing answers.</summary>
    public Task PauseAsync() => RunAsync("pause", repair: "resume");

    public Task ResumeAsync() => RunAsync("resume", repair: null);

    public async ValueTask DisposeAsync()
    {
        if (_repair is { } action)
        {
            await RunAsync(action, repair: null);
        }
    }

    private async Task RunAsync(string action, string? repair)
    {
        _repair = repair ?? _repair;
        using var process = Process.Start(new ProcessStartInfo(_command, [.. _server, action]) { UseShellExecute = false })!;
        await process.WaitForExitAsync();
        process.ExitCode.Should().Be(0, "{0} {1} works", _command, action);
        _repair = repair;
    }
}
