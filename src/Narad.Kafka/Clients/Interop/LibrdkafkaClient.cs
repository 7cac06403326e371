using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Clients.Interop;

/// <summary>
/// The client of librdkafka inside one of Confluent.Kafka's, for the few steps that go past it because they are made for each message. Nothing of it is
/// needed where Confluent.Kafka keeps its client elsewhere: its own methods do the same, slower. Thread-safe.
/// </summary>
internal static unsafe partial class LibrdkafkaClient
{
    private const string Name = NativeLibraryResolver.Name;
    private const int ReasonSize = 512;

    /// <summary>What is missing for reaching clients and calling these functions; null: nothing is.</summary>
    public static string? Missing(IEnumerable<string> functions)
    {
        try
        {
            _ = Of(new Handle());
            return functions.FirstOrDefault(static function => !NativeLibraryResolver.Has(function)) is { } missing
                ? $"{NativeLibraryResolver.File} has no {missing}" : null;
        }
        catch (Exception exception) when (exception is MissingMemberException or TypeLoadException or DllNotFoundException or BadImageFormatException)
        {
            return exception.Message;
        }
    }

    /// <summary>The client behind a handle; null where there is none (any more).</summary>
    public static SafeHandle? Of(Handle handle) => LibrdkafkaHandle(handle) as SafeHandle;

    /// <summary>An error as Confluent.Kafka would show it: where the client only says "fatal", what it was is asked for.</summary>
    public static Error ErrorOf(SafeHandle client, ErrorCode code, string? reason, bool fatal = false)
    {
        if (code is not ErrorCode.Local_Fatal)
        {
            return new Error(code, reason, fatal);
        }

        var text = stackalloc byte[ReasonSize];
        var underlying = rd_kafka_fatal_error(client, text, ReasonSize);
        return underlying is ErrorCode.NoError ? new Error(code, reason, isFatal: true) : new Error(underlying, Text((nint)text), isFatal: true);
    }

    public static string Text(nint text) => Marshal.PtrToStringUTF8(text) ?? "";

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_LibrdkafkaHandle")]
    [return: UnsafeAccessorType("Confluent.Kafka.Impl.SafeKafkaHandle, Confluent.Kafka")]
    private static extern object? LibrdkafkaHandle(Handle handle);

    [LibraryImport(Name)]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial ErrorCode rd_kafka_fatal_error(SafeHandle client, byte* reason, nuint reasonSize);
}
