using System.Reflection;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace Narad.Kafka.Shared;

/// <summary>
/// Makes each test method a collection of its own. Methods of one class then run in parallel, each with class fixtures of its own.
/// A class with <see cref="CollectionAttribute"/> keeps its collection: its methods run one after another.
/// A method with <see cref="NotInParallelAttribute"/> runs alone.
/// </summary>
public sealed class MethodsInParallel(IMessageSink diagnostics) : XunitTestFramework(diagnostics)
{
    protected override ITestFrameworkDiscoverer CreateDiscoverer(IAssemblyInfo assemblyInfo) =>
        new Discoverer(assemblyInfo, SourceInformationProvider, DiagnosticMessageSink);

    protected override ITestFrameworkExecutor CreateExecutor(AssemblyName assemblyName) =>
        new Executor(assemblyName, SourceInformationProvider, DiagnosticMessageSink);

    private sealed class Executor(AssemblyName assembly, ISourceInformationProvider sources, IMessageSink diagnostics)
        : XunitTestFrameworkExecutor(assembly, sources, diagnostics)
    {
        protected override ITestFrameworkDiscoverer CreateDiscoverer() => new Discoverer(AssemblyInfo, SourceInformationProvider, DiagnosticMessageSink);
    }

    private sealed class Discoverer(IAssemblyInfo assembly, ISourceInformationProvider sources, IMessageSink diagnostics)
        : XunitTestFrameworkDiscoverer(assembly, sources, diagnostics)
    {
        // The short form of the base class does not carry a collection's name, by which the runner tells collections apart.
        public override string Serialize(ITestCase testCase) => SerializationHelper.Serialize(testCase);

        protected override bool FindTestsForMethod(
            ITestMethod testMethod, bool includeSourceInformation, IMessageBus messageBus, ITestFrameworkDiscoveryOptions discoveryOptions)
        {
            var (type, method) = (testMethod.TestClass.Class, testMethod.Method);
            if (!type.GetCustomAttributes(typeof(CollectionAttribute)).Any())
            {
                var alone = method.GetCustomAttributes(typeof(NotInParallelAttribute)).Any() ? Reflector.Wrap(typeof(RunsAlone)) : null;
                var mark = method.GetCustomAttributes(typeof(LongAttribute)).Any() ? LongTestsFirst.Mark : "";
                var collection = new TestCollection(testMethod.TestClass.TestCollection.TestAssembly, alone, $"{mark}{type.Name}.{method.Name}");
                testMethod = new TestMethod(new TestClass(collection, type), method);
            }

            return base.FindTestsForMethod(testMethod, includeSourceInformation, messageBus, discoveryOptions);
        }
    }
}
