using System.IO.Compression;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Packaging.Tests;

public class PackagingTests(Packed packed) : IClassFixture<Packed>
{
    private const string Tool = "Narad.Kafka.Cli";

    private static readonly string MicrosoftExtensionsVersion = typeof(PackagingTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key is "MicrosoftExtensionsVersion").Value!;

    [SkippableFact]
    public async Task A_fresh_console_program_sends_and_receives_with_nothing_but_the_package()
    {
        Skip.If(packed.Absence is not null, packed.Absence);
        var folder = await WriteProgramAsync("Consumer");

        var environment = OwnPackages();
        await Command.RunAsync(folder, environment, "dotnet", "build", "Consumer.csproj", "--configuration", "Release", "--output", "program");
        var output = await Command.RunAsync(folder, environment, "dotnet", Path.Combine("program", "Consumer.dll"));

        output.Should().Contain("sent to greetings")
            .And.Contain("received from the package")
            .And.Contain("delivered 1, failed 0, unknown 0")
            .And.Contain("""[DEV] Would send to test-topic: {"message":"Hello World"}""");
    }

    [SkippableTheory]
    [InlineData("trimmed", "<PublishTrimmed>true</PublishTrimmed>")]
    [InlineData("native", "<PublishAot>true</PublishAot>")]
    [InlineData("single-file", "<PublishSingleFile>true</PublishSingleFile>")]
    public async Task A_published_application_sends_and_receives(string kind, string property)
    {
        Skip.If(packed.Absence is not null, packed.Absence);
        Skip.If(kind is "native" && !CompilerIsInstalled(), "Native AOT publishing needs clang or gcc");
        var folder = await WriteProgramAsync(kind, property, "<SelfContained>true</SelfContained>", "<InvariantGlobalization>true</InvariantGlobalization>",
            "<DisableTransitiveFrameworkReferenceDownloads>true</DisableTransitiveFrameworkReferenceDownloads>",
            "<TrimmerSingleWarn>false</TrimmerSingleWarn>");

        // Trimmed, the whole assembly is kept, and so looked at: a build does not analyze it for trimming.
        if (kind is "trimmed")
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "Directory.Build.targets"),
                """<Project><ItemGroup><TrimmerRootAssembly Include="Narad.Kafka" RootMode="All" /></ItemGroup></Project>""");
        }

        var environment = OwnPackages();
        var published = await Command.RunAsync(folder, environment, "dotnet", "publish", "Consumer.csproj", "--use-current-runtime", "--output", "program");
        published.Split('\n').Should()
            .NotContain(line => line.Contains("warning IL", StringComparison.Ordinal) && line.Contains("Narad.", StringComparison.Ordinal));
        var output = await Command.RunAsync(folder, environment, Path.Combine(folder, "program", "Consumer"));

        output.Should().Contain("received from a published application").And.Contain("stopped\n");
    }

    [SkippableFact]
    public void Every_project_of_src_becomes_a_package_with_assembly_documentation_and_readme()
    {
        Skip.If(packed.Absence is not null, packed.Absence);
        var projects = Directory.GetFiles(Path.Combine(RepositoryFolder.Root, "src"), "*.csproj", SearchOption.AllDirectories)
            .Select(path => Path.GetFileNameWithoutExtension(path)).ToList();

        packed.Files.Select(file => Path.GetFileName(file)).Should().BeEquivalentTo(projects.Select(project => $"{project}.{packed.Version}.nupkg"));
        foreach (var (id, entries) in packed.Files.Zip(projects.Order(StringComparer.Ordinal), (file, id) => (id, Entries(file))))
        {
            entries.Should().Contain(id == Tool
                ? [$"tools/net10.0/any/{id}.dll", "tools/net10.0/any/DotnetToolSettings.xml", "README.md", "icon.png"]
                : [$"lib/net10.0/{id}.dll", $"lib/net10.0/{id}.xml", "README.md", "icon.png"]);
        }
    }

    [SkippableFact]
    public void The_readme_of_a_package_links_into_the_repository()
    {
        Skip.If(packed.Absence is not null, packed.Absence);

        foreach (var file in packed.Files)
        {
            using var package = ZipFile.OpenRead(file);
            using var reader = new StreamReader(package.GetEntry("README.md")!.Open());
            var readme = reader.ReadToEnd();

            var targets = Regex.Matches(readme, @"\]\((?<target>[^)\s]+)\)", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(10))
                .Select(link => link.Groups["target"].Value);
            targets.Where(target => !target.StartsWith("https://", StringComparison.Ordinal)).Should()
                .BeEmpty("{0} is read on a package page", Path.GetFileName(file));
            if (Path.GetFileName(file).StartsWith("Narad.Kafka.0", StringComparison.Ordinal))
            {
                readme.Should().Contain($"]({packed.RepositoryUrl}/blob/HEAD/docs/configuration.md)");
            }
        }
    }

    [SkippableFact]
    public void Packages_depend_on_the_ordinary_packages_and_only_the_tool_carries_the_native_library()
    {
        Skip.If(packed.Absence is not null, packed.Absence);

        // A tool is installed without its dependencies: it carries the native library for every platform. The libraries depend on Confluent.Kafka.
        foreach (var file in packed.Files)
        {
            var native = Entries(file).Where(entry => entry.Contains("librdkafka", StringComparison.OrdinalIgnoreCase));
            if (Path.GetFileName(file).StartsWith(Tool, StringComparison.Ordinal))
            {
                native.Should()
                    .Contain(["tools/net10.0/any/runtimes/linux-x64/native/centos8-librdkafka.so", "tools/net10.0/any/runtimes/win-x64/native/librdkafka.dll"])
                    .And.OnlyContain(entry => entry.StartsWith("tools/net10.0/any/runtimes/", StringComparison.Ordinal));
            }
            else
            {
                native.Should().BeEmpty("{0} depends on the package that has it", Path.GetFileName(file));
            }
        }

        var specification = Specification("Narad.Kafka");
        Dependencies(specification).Should().Contain("Confluent.Kafka").And.NotContain(id => id.Contains("Analyzer", StringComparison.Ordinal));
        Dependencies(Specification("Narad.Kafka.Testing")).Should().Contain("Narad.Kafka");
        foreach (var (id, heavy) in (ReadOnlySpan<(string, string)>)[("Narad.Kafka.Aws", "AWSSDK.Core"), ("Narad.Kafka.Azure", "Azure.Identity"),
            ("Narad.Kafka.SchemaRegistry", "Confluent.SchemaRegistry.Serdes.Json"), ("Narad.Kafka.Mongo", "MongoDB.Driver")])
        {
            Dependencies(specification).Should().NotContain(heavy, "the core stays small");
            Dependencies(Specification(id)).Should().Contain(["Narad.Kafka", heavy]);
        }

    }

    [SkippableFact]
    public void Every_package_names_its_licence_and_the_commit_it_was_built_from()
    {
        Skip.If(packed.Absence is not null, packed.Absence);

        foreach (var id in packed.Files.Select(file => Path.GetFileNameWithoutExtension(file)[..^(packed.Version.Length + 1)]))
        {
            var specification = Specification(id);
            specification.Descendants().Single(element => element.Name.LocalName is "license").Value.Should().Be("Apache-2.0", "{0} states it", id);
            var repository = specification.Descendants().Single(element => element.Name.LocalName is "repository");
            repository.Attribute("url")!.Value.Should().Be(packed.RepositoryUrl);
            repository.Attribute("commit")!.Value.Should().MatchRegex("^[0-9a-f]{40}$");
        }
    }

    [SkippableFact]
    public void No_path_of_this_machine_is_in_a_package()
    {
        Skip.If(packed.Absence is not null, packed.Absence);

        foreach (var file in packed.Files)
        {
            using var archive = ZipFile.OpenRead(file);
            foreach (var entry in archive.Entries.Where(entry => entry.Name.StartsWith("Narad.", StringComparison.Ordinal)
                && entry.Name.EndsWith(".dll", StringComparison.Ordinal)))
            {
                using var assembly = new PEReader(new MemoryStream(Read(entry)));
                var directory = assembly.ReadDebugDirectory();
                using var symbols = assembly.ReadEmbeddedPortablePdbDebugDirectoryData(
                    directory.Single(item => item.Type == DebugDirectoryEntryType.EmbeddedPortablePdb));
                var reader = symbols.GetMetadataReader();
                reader.Documents.Select(document => reader.GetString(reader.GetDocument(document).Name))
                    .Should().OnlyContain(path => path.StartsWith("/_", StringComparison.Ordinal), "{0} was built for everyone", entry.Name);
                directory.Where(item => item.Type == DebugDirectoryEntryType.CodeView).Select(item => assembly.ReadCodeViewDebugDirectoryData(item).Path)
                    .Should().OnlyContain(path => !Path.IsPathRooted(path) || path.StartsWith("/_", StringComparison.Ordinal));
                directory.Should().Contain(item => item.Type == DebugDirectoryEntryType.Reproducible);
            }
        }
    }

    [SkippableFact]
    public async Task The_tool_is_installed_from_its_package_and_examines()
    {
        Skip.If(packed.Absence is not null, packed.Absence);
        var folder = Directory.CreateDirectory(Path.Combine(packed.Folder, "Tool")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "nuget.config"), $"""
            <configuration>
              <packageSources>
                <clear />
                <add key="packed" value="{packed.Feed}" />
              </packageSources>
            </configuration>
            """);

        // A tool's package has all that it needs in it.
        var environment = OwnPackages();
        await Command.RunAsync(
            folder, environment, "dotnet", "tool", "install", Tool, "--tool-path", "bin", "--version", packed.Version, "--configfile", "nuget.config");
        environment["KAFKA_MODE"] = "Embedded";
        var output = await Command.RunAsync(folder, environment, Path.Combine(folder, "bin", "narad"), "doctor", "--topic", "greetings");
        output.TrimEnd().Should().EndWith("Kafka connection successful").And.Contain("read from greetings[");
    }

    private static bool CompilerIsInstalled() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, "clang")) || File.Exists(Path.Combine(folder, "gcc")));

    /// <summary>The machine's packages are read and never added to: nothing else may find what these tests pack.</summary>
    private Dictionary<string, string> OwnPackages() => new(StringComparer.Ordinal) { ["NUGET_PACKAGES"] = Path.Combine(packed.Folder, "packages") };

    private static IReadOnlyList<string> Entries(string package)
    {
        using var archive = ZipFile.OpenRead(package);
        return [.. archive.Entries.Select(entry => entry.FullName)];
    }

    private static byte[] Read(ZipArchiveEntry entry)
    {
        using var source = entry.Open();
        using var bytes = new MemoryStream();
        source.CopyTo(bytes);
        return bytes.ToArray();
    }

    private static IEnumerable<string> Dependencies(XDocument specification) =>
        specification.Descendants().Where(element => element.Name.LocalName is "dependency").Select(element => element.Attribute("id")!.Value);

    private XDocument Specification(string id)
    {
        using var archive = ZipFile.OpenRead(Path.Combine(packed.Feed, $"{id}.{packed.Version}.nupkg"));
        using var content = archive.GetEntry(id + ".nuspec")!.Open();
        return XDocument.Load(content);
    }

    private async Task<string> WriteProgramAsync(string name, params string[] properties)
    {
        var folder = Directory.CreateDirectory(Path.Combine(packed.Folder, name)).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "Consumer.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
                {string.Join("\n    ", properties)}
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="Narad.Kafka" Version="{packed.Version}" />
                <PackageReference Include="Microsoft.Extensions.Hosting" Version="{MicrosoftExtensionsVersion}" />
              </ItemGroup>
            </Project>
            """);

        var source = properties.Length == 0 ? "Program.cs" : "Published.cs";
        using var program = new StreamReader(typeof(PackagingTests).Assembly.GetManifestResourceStream(source)!);
        await File.WriteAllTextAsync(Path.Combine(folder, "Program.cs"), await program.ReadToEndAsync());

        var listed = await Command.RunAsync(
            folder, new Dictionary<string, string>(StringComparer.Ordinal), "dotnet", "nuget", "locals", "global-packages", "--list");
        var machine = listed.Split("global-packages: ")[1].Trim();
        await File.WriteAllTextAsync(Path.Combine(folder, "nuget.config"), $"""
            <configuration>
              <packageSources>
                <clear />
                <add key="packed" value="{packed.Feed}" />
              </packageSources>
              <fallbackPackageFolders>
                <add key="machine" value="{machine}" />
              </fallbackPackageFolders>
            </configuration>
            """);
        return folder;
    }
}
