namespace Narad.Samples;

/// <summary>Another program listens on the port of a role.</summary>
public sealed class PortTakenException(int port, string role)
    : IOException(
        $"Port {port} is taken: another program listens on it. Stop that program, or choose another port: --urls:{role}=http://localhost:{port + 10}");
