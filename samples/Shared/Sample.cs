using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Narad.Kafka;

namespace Narad.Samples;

/// <summary>
/// Runs a sample's roles: the one that the first argument names, or all of them as several hosts in this process. Without a broker in the
/// configuration they share one embedded broker.
/// </summary>
public static class Sample
{
    private const string UrlsKey = "urls";

    /// <summary>Runs until Ctrl-C, SIGTERM, or the end of one of the hosts.</summary>
    /// <returns>The exit code: 0, 1 where a role cannot start for a reason that a message names, 2 where the first argument names no role.</returns>
    public static async Task<int> RunAsync(string[] args, params SampleRole[] roles)
    {
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(roles);
        var wanted = roles;
        if (args is [var name, ..] && !name.StartsWith('-'))
        {
            wanted = [.. roles.Where(role => role.Name == name)];
            args = args[1..];
            if (wanted is [])
            {
                var names = string.Join(", ", roles.Select(static role => role.Name));
                await Console.Error.WriteLineAsync($"There is no role '{name}'. Roles: {names}; without one, all run.");
                return 2;
            }
        }

        try
        {
            await using var running = await StartAsync(args, wanted, roles[0]);
            await running.WaitForShutdownAsync();
            return 0;
        }
        catch (Exception failure) when (failure is NaradKafkaException or PortTakenException)
        {
            await Console.Error.WriteLineAsync(failure.Message);
            return 1;
        }
    }

    /// <summary>Starts the roles in their order. Dispose the result to stop them in the opposite one.</summary>
    /// <exception cref="PortTakenException">Another program listens where a role should.</exception>
    public static Task<RunningSample> StartAsync(string[] args, params SampleRole[] roles)
    {
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(roles);
        return StartAsync(args, roles, roles[0]);
    }

    private static async Task<RunningSample> StartAsync(string[] args, SampleRole[] roles, SampleRole first)
    {
        var running = new RunningSample();
        try
        {
            foreach (var role in roles)
            {
                var builder = CreateBuilder(args, role, isFirst: role == first);
                if (IsEmbedded(builder.Configuration))
                {
                    running.Broker ??= EmbeddedBroker.Start();
                    builder.UseBroker(running.Broker);
                }

                running.Add(role.Name, role.Build(builder));
            }

            if (running.Broker is { } broker)
            {
                running[roles[0].Name].Services.GetRequiredService<ILoggerFactory>().CreateLogger("Narad.Samples")
                    .LogInformation(
                        "The embedded broker runs in this process and listens on {BootstrapServers}; what it holds is lost at exit", broker.BootstrapServers);
            }

            await running.StartAsync();
            return running;
        }
        catch
        {
            await running.DisposeAsync();
            throw;
        }
    }

    private static WebApplicationBuilder CreateBuilder(string[] args, SampleRole role, bool isFirst)
    {
        // Not the caller's folder, whose appsettings.json is for something else.
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
        var urls = builder.Configuration[$"{UrlsKey}:{role.Name}"]
            ?? (isFirst ? builder.Configuration[UrlsKey] : null)
            ?? $"http://localhost:{role.Port}";
        foreach (var url in urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            ThrowIfTaken(url, role.Name);
        }

        builder.WebHost.UseUrls(urls);
        builder.Logging.AddSampleConsole(role.Name);
        builder.AddSampleErrors();
        builder.AddSampleTelemetry(role.Name);
        builder.Services.AddHealthChecks();
        return builder;
    }

    private static bool IsEmbedded(IConfiguration configuration) =>
        (configuration["Kafka:Mode"] ?? configuration["KAFKA_MODE"]) is { Length: > 0 } mode
            ? mode.Equals(nameof(KafkaMode.Embedded), StringComparison.OrdinalIgnoreCase)
            : !Names(configuration, "Kafka:Brokers", "KAFKA_BROKERS", "ConnectionStrings:kafka");

    private static void UseBroker(this WebApplicationBuilder builder, EmbeddedBroker broker) => builder.Services.PostConfigure<KafkaOptions>(kafka =>
    {
        kafka.Mode = KafkaMode.Embedded;
        kafka.EmbeddedBroker = broker;
    });

    private static bool Names(IConfiguration configuration, params ReadOnlySpan<string> keys)
    {
        foreach (var key in keys)
        {
            if (!string.IsNullOrWhiteSpace(configuration[key]))
            {
                return true;
            }
        }

        return false;
    }

    // Before anything starts, because the web server's own message comes late and with a stack trace.
    private static void ThrowIfTaken(string url, string role)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || !uri.IsLoopback || uri.Port == 0)
        {
            return;
        }

        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, uri.Port);
            listener.Start();
        }
        catch (SocketException failure) when (failure.SocketErrorCode is SocketError.AddressAlreadyInUse)
        {
            throw new PortTakenException(uri.Port, role);
        }
    }
}
