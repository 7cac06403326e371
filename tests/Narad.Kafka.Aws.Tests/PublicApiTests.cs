using System.Reflection;
using Narad.Kafka.Shared;

namespace Narad.Kafka.Aws.Tests;

public class PublicApiTests
{
    [Fact]
    public void The_public_surface_is_the_approved_one() => ApprovedSurface.Verify(Assembly.Load("Narad.Kafka.Aws"));
}
