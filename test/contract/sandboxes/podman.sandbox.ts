import { testContract } from './contract.ts';

testContract('podman');
