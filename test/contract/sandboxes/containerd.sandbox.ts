import { testContract } from './contract.ts';

testContract('containerd');
