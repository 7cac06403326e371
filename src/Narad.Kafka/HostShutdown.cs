using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Narad.Kafka;

/// <summary>
/// How long the host waits when it stops: <c>HostOptions.ShutdownTimeout</c>. The class is in a package that this library does not need, so it is looked
/// up by its name. Thread-safe.
/// </summary>
internal sealed class HostShutdown
{
    private static readonly TimeSpan LongestReserve = TimeSpan.FromSeconds(2);

    private readonly TimeProvider _time;
    private long _stopping;   // 0: the host runs

    public HostShutdown(IServiceProvider services, IHostApplicationLifetime lifetime, TimeProvider time)
    {
        _time = time;
        Timeout = Find(services);
        lifetime.ApplicationStopping.Register(() => Interlocked.CompareExchange(ref _stopping, Math.Max(1, _time.GetTimestamp()), 0));
    }

    /// <summary>The host's limit for all of its services together; null where it has none, or where there is no such host.</summary>
    public TimeSpan? Timeout { get; }

    /// <summary>
    /// The time for disconnecting: the service's own, or what the host has left, without a reserve of a fifth (at most 2 s) for closing clients.
    /// </summary>
    public TimeSpan Limit(TimeSpan own)
    {
        if (Timeout is not { } timeout)
        {
            return own;
        }

        var reserve = TimeSpan.FromTicks(Math.Min(timeout.Ticks / 5, LongestReserve.Ticks));
        var stopping = Volatile.Read(ref _stopping);
        var left = timeout - reserve - (stopping == 0 ? TimeSpan.Zero : _time.GetElapsedTime(stopping));
        return left >= own ? own : left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "IOptions of a class shares its code, and the host uses this one itself.")]
    [UnconditionalSuppressMessage("Trimming", "IL2055", Justification = "The host creates its options itself, so their constructor is kept.")]
    private static TimeSpan? Find(IServiceProvider services)
    {
        var type = Type.GetType("Microsoft.Extensions.Hosting.HostOptions, Microsoft.Extensions.Hosting");
        return type is not null
            && services.GetService(typeof(IOptions<>).MakeGenericType(type)) is IOptions<object> options
            && type.GetProperty("ShutdownTimeout")?.GetValue(options.Value) is TimeSpan timeout
            && timeout >= TimeSpan.Zero
            ? timeout
            : null;
    }
}
