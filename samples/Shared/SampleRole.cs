using Microsoft.AspNetCore.Builder;

namespace Narad.Samples;

/// <summary>One part of a sample that can run as a process of its own, such as an API or a consumer.</summary>
/// <param name="Name">Its name: the first argument of the program, the prefix of its log lines, and part of <c>--urls:NAME</c>.</param>
/// <param name="Port">Where it listens on loopback unless <c>--urls:NAME</c> says otherwise; the first role also takes <c>--urls</c>.</param>
/// <param name="Build">Adds the role's services, builds the host, and maps its routes.</param>
public sealed record SampleRole(string Name, int Port, Func<WebApplicationBuilder, WebApplication> Build);
