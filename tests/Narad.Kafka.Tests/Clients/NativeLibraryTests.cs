using System.Reflection;
using System.Text;
using Narad.Kafka.Clients.Interop;

namespace Narad.Kafka.Tests.Clients;

/// <summary>
/// The functions of librdkafka are bound to the library that Confluent.Kafka loaded, under each of its names, in a process that uses the mode Kafka only.
/// </summary>
public sealed class NativeLibraryTests : IDisposable
{
    private readonly EmbeddedBroker _broker = EmbeddedBroker.Start();
    private readonly string _topic = $"own-process-{Guid.NewGuid():N}";

    public NativeLibraryTests() => _broker.CreateTopic(_topic, partitions: 2);

    [Fact, Trait("Trap", "library-names")]
    public async Task The_library_as_the_package_delivers_it_is_called_directly()
    {
        var output = await OwnProcess.RunAsDeliveredAsync(_broker.BootstrapServers, _topic);

        ShouldCallDirectly(output, "librdkafka");
    }

    [SkippableTheory, Trait("Trap", "library-names")]
    [InlineData("librdkafka")]
    [InlineData("centos8-librdkafka")]
    public async Task The_library_is_called_directly_where_only_the_file_of_this_name_is_there(string name)
    {
        using var program = new OwnProcess();
        File.Copy(OwnProcess.Delivered, program.PathOf($"{name}.so"));

        var output = await program.RunAsync(_broker.BootstrapServers, _topic);

        ShouldCallDirectly(output, $"({name})");
    }

    [SkippableFact, Trait("Trap", "library-names")]
    public async Task The_library_is_called_directly_under_its_name_on_Alpine()
    {
        using var program = new OwnProcess();
        File.Copy(OwnProcess.Delivered, program.PathOf("alpine-librdkafka.so"));

        var output = await program.RunAsync(_broker.BootstrapServers, _topic, "alpine");

        ShouldCallDirectly(output, "(alpine-librdkafka)");
    }

    [SkippableFact, Trait("Trap", "library-names")]
    public async Task The_library_is_called_directly_where_the_application_resolved_it_to_a_file_of_another_name()
    {
        using var program = new OwnProcess();
        var file = program.PathOf("our-librdkafka.so.1");
        File.Copy(OwnProcess.Delivered, file);

        var output = await program.RunAsync(_broker.BootstrapServers, _topic, file);

        ShouldCallDirectly(output, "(our-librdkafka.so.1)");
    }

    [SkippableFact]
    public async Task A_library_that_lacks_a_function_is_used_through_Confluent_and_that_is_logged_once()
    {
        using var program = new OwnProcess();
        Rename(OwnProcess.Delivered, program.PathOf("librdkafka.so"), "rd_kafka_event_message_array", "rd_kafka_event_message_other");

        var output = await program.RunAsync(_broker.BootstrapServers, _topic);

        Lines(output, "Information 4101: ").Should().ContainSingle().Which.Should().Contain("librdkafka has no rd_kafka_event_message_array")
            .And.Contain(Confluent.Kafka.Library.VersionString);
        Lines(output, "Debug 4100: ").Should().ContainSingle("consuming lacks nothing").Which.Should().Contain("#consumer-");
        output.Should()
            .Contain("through the methods of Confluent.Kafka, which is slower (librdkafka has no rd_kafka_event_message_array)", "the doctor says it too");
        output.Should().Contain("sent and consumed 100 messages");
    }

    [Fact]
    public void Every_import_of_the_package_is_in_the_one_folder()
    {
        const BindingFlags All = BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        var imports = typeof(KafkaService).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods(All))
            .Where(method => method.Attributes.HasFlag(MethodAttributes.PinvokeImpl))
            .ToList();

        imports.Should().NotBeEmpty();
        imports.Select(import => import.DeclaringType!.Namespace).Distinct(StringComparer.Ordinal).Should().Equal(typeof(NativeLibraryResolver).Namespace);
    }

    public void Dispose() => _broker.Dispose();

    private static void ShouldCallDirectly(string output, string library)
    {
        var direct = Lines(output, "Debug 4100: ");
        direct.Should().HaveCount(2).And.OnlyContain(line => line.Contains(library, StringComparison.Ordinal));
        direct.Should().ContainSingle(line => line.Contains("#producer-", StringComparison.Ordinal))
            .And.ContainSingle(line => line.Contains("#consumer-", StringComparison.Ordinal));
        Lines(output, "Information 4101: ").Should().BeEmpty();
        Lines(output, $"librdkafka {Confluent.Kafka.Library.VersionString} (").Should().ContainSingle("the doctor says it too").Which.Should().Contain(library)
            .And.EndWith("called directly");
        output.Should().Contain("sent and consumed 100 messages");
    }

    private static List<string> Lines(string output, string start)
        => [.. output.Split('\n', StringSplitOptions.TrimEntries).Where(line => line.StartsWith(start, StringComparison.Ordinal))];

    // Another version of the library, in which the function has another name.
    private static void Rename(string source, string target, string function, string other)
    {
        var library = File.ReadAllBytes(source);
        var name = Encoding.ASCII.GetBytes($"\0{function}\0");
        var at = library.AsSpan().IndexOf(name);
        at.Should().BePositive();
        while (at >= 0)
        {
            Encoding.ASCII.GetBytes(other).CopyTo(library, at + 1);
            at = library.AsSpan().IndexOf(name);
        }

        File.WriteAllBytes(target, library);
    }
}
