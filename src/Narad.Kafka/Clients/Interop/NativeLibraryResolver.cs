using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Narad.Kafka.Clients.Interop;

/// <summary>
/// Binds every function that this assembly imports from librdkafka to the library that Confluent.Kafka loaded, under whichever name. A second copy of the
/// library would have its own state and could not use the clients of the first one. Thread-safe.
/// </summary>
internal static unsafe class NativeLibraryResolver
{
    /// <summary>The name under which functions are imported. The file may have another one.</summary>
    public const string Name = "librdkafka";

    // PublicationOnly: a failure is not remembered. The application may load the library by itself and try again.
    private static readonly Lazy<Loaded> Found = new(Find, LazyThreadSafetyMode.PublicationOnly);

    /// <summary>The loaded library's handle. It is never freed.</summary>
    /// <exception cref="DllNotFoundException">Confluent.Kafka cannot load librdkafka, or the library that it loaded is not found again.</exception>
    public static nint Handle => Found.Value.Handle;

    /// <summary>The name of the loaded library's file, without its extension where it was loaded by name.</summary>
    /// <exception cref="DllNotFoundException">As <see cref="Handle"/>.</exception>
    public static string File => Found.Value.File;

    /// <summary>Returns whether the loaded library has a function.</summary>
    /// <exception cref="DllNotFoundException">As <see cref="Handle"/>.</exception>
    public static bool Has(string function) => NativeLibrary.TryGetExport(Handle, function, out _);

    // When the assembly is loaded: no import can be bound earlier, in no mode. The library itself is loaded by the first call.
    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255:The 'ModuleInitializer' attribute should not be used in libraries",
        Justification = "It is what runs before every call, whoever makes the first one.")]
    internal static void Register() => NativeLibrary.SetDllImportResolver(
        typeof(NativeLibraryResolver).Assembly,
        static (library, _, _) => string.Equals(library, Name, StringComparison.Ordinal) ? Handle : 0);

    private static Loaded Find()
    {
        var version = Library.Version;   // makes Confluent.Kafka load its library; its exception says best what is missing
        return FindByName(version)
            ?? FindAmongModules(version)
            ?? throw new DllNotFoundException(
                $"The library that Confluent.Kafka loaded (librdkafka {Library.VersionString}) was not found again under any of its names.");
    }

    // As Confluent.Kafka does it: the runtime looks for the name in the folders that belong to Confluent.Kafka's assembly.
    private static Loaded? FindByName(int version)
    {
        foreach (var name in Names())
        {
            if (NativeLibrary.TryLoad(name, typeof(Library).Assembly, searchPath: null, out var handle) && IsVersion(handle, version))
            {
                return new Loaded(handle, name);
            }
        }

        return null;
    }

    // Where the application loaded it: with Library.Load and a path, or with a resolver of its own.
    private static Loaded? FindAmongModules(int version)
    {
        using var process = Process.GetCurrentProcess();
        foreach (ProcessModule module in process.Modules)
        {
            if (Path.GetFileName(module.FileName).Contains(Name, StringComparison.OrdinalIgnoreCase)
                && NativeLibrary.TryLoad(module.FileName, out var handle)
                && IsVersion(handle, version))
            {
                return new Loaded(handle, Path.GetFileName(module.FileName));
            }
        }

        return null;
    }

    private static bool IsVersion(nint library, int version)
        => NativeLibrary.TryGetExport(library, "rd_kafka_version", out var function) && ((delegate* unmanaged[Cdecl]<int>)function)() == version;

    // The order of Confluent.Kafka: on Alpine its own build only; elsewhere the build with GSSAPI, then the one without.
    private static IEnumerable<string> Names()
    {
        const string Alpine = $"alpine-{Name}";
        if (RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal)
            || RuntimeInformation.RuntimeIdentifier.Contains("alpine", StringComparison.Ordinal))
        {
            yield return Alpine;
        }

        yield return Name;
        yield return $"centos8-{Name}";
        yield return Alpine;
    }

    private sealed record Loaded(nint Handle, string File);
}
