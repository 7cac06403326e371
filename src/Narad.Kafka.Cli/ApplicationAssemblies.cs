using System.Reflection;
using System.Runtime.Loader;

namespace Narad.Kafka.Cli;

/// <summary>The assemblies of an application, found beside the one that is named and where its <c>.deps.json</c> says.</summary>
internal sealed class ApplicationAssemblies(string path) : AssemblyLoadContext("application")
{
    private readonly AssemblyDependencyResolver _resolver = new(path);

    protected override Assembly? Load(AssemblyName assemblyName) => _resolver.ResolveAssemblyToPath(assemblyName) is { } found ? LoadFromAssemblyPath(found)
        : null;
}
